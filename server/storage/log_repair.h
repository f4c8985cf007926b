// Puts a damaged byte of SQLite's write-ahead log right.
//
// SQLite takes the first frame that fails its checksum for the end of the log, such as a crash leaves: what was
// committed behind it would be gone without a word. The checksum is a weighted sum, so that it tells whether one byte
// is another, and mostly which. A frame that a crash left unfinished differs in more and stays as it is, as do all
// frames behind the last commit.
//
// The file format: https://www.sqlite.org/fileformat2.html#walformat
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace kith::storage {

// Puts right one byte of the header and of each frame; on disk when it returns. Where it could be one of several bytes
// of a page, the page stays and gets the checksum that it has, so that only the rows of that page, which have checksums
// of their own, are damaged. Where it could be the page's number as well: DATA_LOSS STORAGE. Other errors as in file.h.
// Gives how many bytes were changed.
//
// Nothing may have the database open. A log that is missing or not SQLite's is left alone.
absl::StatusOr<int64_t> RepairLog(const std::string& path);

// How many bytes that would change. Changes nothing.
absl::StatusOr<int64_t> CountLogRepairs(const std::string& path);

}  // namespace kith::storage
