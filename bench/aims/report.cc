#include "bench/aims/report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "nlohmann/json.hpp"

namespace kith::bench {
namespace {

std::string Aim(const Row& row) { return Format("%s %.4g", row.at_least ? ">=" : "<=", row.aim); }

}  // namespace

void Report::AtMost(const std::string& name, double ratio, double aim, const std::string& figures) {
  Add({name, ratio, aim, false, ratio <= aim}, figures);
}

void Report::AtLeast(const std::string& name, double ratio, double aim, const std::string& figures) {
  Add({name, ratio, aim, true, ratio >= aim}, figures);
}

void Report::Add(Row row, const std::string& figures) {
  std::printf("%-34s %8.3f  aim %-8s %s\n    %s\n", row.name.c_str(), row.ratio, Aim(row).c_str(),
              row.holds ? "holds" : "FALLS SHORT", figures.c_str());
  std::fflush(stdout);
  rows_.push_back(std::move(row));
}

void Report::Print() const {
  std::printf("\n%-34s %8s  %-9s\n", "row", "ratio", "aim");
  for (const Row& row : rows_) {
    std::printf("%-34s %8.3f  %-9s %s\n", row.name.c_str(), row.ratio, Aim(row).c_str(),
                row.holds ? "holds" : "falls short");
  }
  const auto held = std::count_if(rows_.begin(), rows_.end(), [](const Row& row) { return row.holds; });
  std::printf("%lld of %zu hold\n", static_cast<long long>(held), rows_.size());
}

std::string Report::Json() const {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Row& row : rows_) {
    rows.push_back({{"name", row.name}, {"ratio", row.ratio}, {"aim", row.aim}, {"holds", row.holds}});
  }
  return nlohmann::ordered_json{{"rows", rows}}.dump();
}

std::string Format(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  return text;
}

}  // namespace kith::bench
