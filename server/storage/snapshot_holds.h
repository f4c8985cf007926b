// Snapshots that must not be removed while somebody reads them one after the other.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace kith::storage {

// Not thread-safe.
class SnapshotHolds {
 public:
  void Hold(const std::set<std::string>& snapshots);

  // Gives those that may be removed now: what was to be removed meanwhile and is held by nobody else.
  std::vector<std::string> Release(const std::set<std::string>& snapshots);

  // Those of `snapshots` that may be removed at once; the others are given by the last Release.
  std::vector<std::string> ToRemove(const std::vector<std::string>& snapshots);

 private:
  struct Held {
    int holders = 0;
    bool doomed = false;
  };
  std::map<std::string, Held> held_;
};

}  // namespace kith::storage
