#include "server/storage/pin_table.h"

#include <string>

#include "server/storage/row_checksum.h"

namespace kith::storage {
namespace {

std::string Checksum(std::string_view experiment) { return RowChecksum("pins").Add(experiment).Finish(); }

}  // namespace

bool IsPinRow(std::string_view experiment, std::string_view checksum) { return checksum == Checksum(experiment); }

absl::Status PutPin(const Database& database, std::string_view experiment, bool pinned) {
  const absl::Status status = Query(database, "DELETE FROM pins WHERE experiment = ?", experiment).Run();
  if (!status.ok() || !pinned) return status;
  return Query(database, "INSERT INTO pins (experiment, checksum) VALUES (?, ?)", experiment, Checksum(experiment))
      .Run();
}

}  // namespace kith::storage
