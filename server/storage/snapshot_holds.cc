#include "server/storage/snapshot_holds.h"

namespace kith::storage {

void SnapshotHolds::Hold(const std::set<std::string>& snapshots) {
  for (const std::string& snapshot : snapshots) ++held_[snapshot].holders;
}

std::vector<std::string> SnapshotHolds::Release(const std::set<std::string>& snapshots) {
  std::vector<std::string> removable;
  for (const std::string& snapshot : snapshots) {
    const auto held = held_.find(snapshot);
    if (held == held_.end() || --held->second.holders > 0) continue;
    if (held->second.doomed) removable.push_back(snapshot);
    held_.erase(held);
  }
  return removable;
}

std::vector<std::string> SnapshotHolds::ToRemove(const std::vector<std::string>& snapshots) {
  std::vector<std::string> removable;
  for (const std::string& snapshot : snapshots) {
    const auto held = held_.find(snapshot);
    if (held == held_.end()) {
      removable.push_back(snapshot);
    } else {
      held->second.doomed = true;
    }
  }
  return removable;
}

}  // namespace kith::storage
