// The table `reigns`: when each kept generation became the current one, the last time. A greater id is a later time.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// The checksum that such a row has; `since` in microseconds since 1970.
std::string ReignChecksum(int64_t id, int64_t generation_id, int64_t since);

// Makes the generation's reign the newest there is; its former one goes. Called inside a transaction.
absl::Status InsertReign(const Database& database, int64_t generation_id, absl::Time since);

}  // namespace kith::storage
