// Verifying a data folder that no server uses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "server/storage/generation_reader.h"

namespace kith::storage {

struct Checked {
  std::string what;  // catalogue, experiment "anna"
  int64_t generations = 0;
  int64_t rows = 0;                  // of all its generations, additions included
  std::vector<absl::Status> faults;  // empty: all is well
};

// Takes the folder's lock; changes nothing but the catalogue's schema version, where an older Kith wrote it. Reports
// the catalogue, then each experiment: the structure and every row's checksum, every file of each snapshot against its
// manifest and the catalogue, every addition, and what `read_index` says. A damaged write-ahead log is reported as a
// fault of the catalogue and left as it is, and nothing else is looked at: the next start of a server puts it right.
//
// BAD_PARAMETER where it is no data folder; DATA_LOSS STORAGE where there were faults; UNAVAILABLE STORAGE where
// another process uses it.
absl::Status CheckDataFolder(const std::string& data_dir, IndexReader read_index,
                             absl::FunctionRef<void(const Checked&)> report);

}  // namespace kith::storage
