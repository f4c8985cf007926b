// A checksum for each row of the catalogue: SQLite has none for its pages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kith::storage {

// Collects a row's columns; each goes in with its length, so that no two different rows give the same bytes.
class RowChecksum {
 public:
  // `table` keeps a row from passing as one of another table.
  explicit RowChecksum(std::string_view table) { Add(table); }

  RowChecksum& Add(std::string_view text);
  RowChecksum& Add(int64_t value);

  // SHA-256 in lower-case hex.
  std::string Finish() const;

 private:
  std::string bytes_;
};

}  // namespace kith::storage
