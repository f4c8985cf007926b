#include "server/storage/catalogue_faults.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/storage/file.h"
#include "server/storage/pin_table.h"
#include "server/storage/quoted.h"

namespace kith::storage {

std::vector<absl::Status> FindFaults(const Database& database) {
  std::vector<absl::Status> faults;
  const auto add = [&](const std::string& how) { faults.push_back(Damage(database.path(), how)); };
  const auto end = [&](const Query& query) {
    if (!query.status().ok()) faults.push_back(query.status());
  };
  Query structure(database, "PRAGMA integrity_check");
  while (structure.Next()) {
    if (structure.Text(0) != "ok") add(absl::StrCat("SQLite finds: ", std::string(structure.Text(0))));
  }
  end(structure);
  Query orphans(database, "PRAGMA foreign_key_check");
  while (orphans.Next()) {
    add(absl::StrCat("row ", orphans.Integer(1), " of the table ", std::string(orphans.Text(0)),
                     " belongs to nothing"));
  }
  end(orphans);
  Query pins(database, "SELECT experiment, checksum FROM pins");
  while (pins.Next()) {
    if (!IsPinRow(pins.Text(0), pins.Text(1))) {
      add(absl::StrCat("the pin of experiment ", Quoted(pins.Text(0)), " fails its checksum"));
    }
  }
  end(pins);
  return faults;
}

}  // namespace kith::storage
