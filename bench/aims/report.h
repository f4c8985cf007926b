// What was measured beside what it was to be.
#pragma once

#include <string>
#include <vector>

namespace kith::bench {

struct Row {
  std::string name;  // stable, for scripts
  double ratio = 0;  // in the unit of the name where that ends in one
  double aim = 0;
  bool at_least = false;  // the aim is a lower bound
  bool holds = false;
};

class Report {
 public:
  // Each prints the row as it is measured, with `figures`: where it comes from, with its spread.
  void AtMost(const std::string& name, double ratio, double aim, const std::string& figures);
  void AtLeast(const std::string& name, double ratio, double aim, const std::string& figures);

  // The table of all rows.
  void Print() const;
  // {"rows": [{"name", "ratio", "aim", "holds"}]}
  std::string Json() const;

 private:
  void Add(Row row, const std::string& figures);

  std::vector<Row> rows_;
};

// printf into a string.
std::string Format(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace kith::bench
