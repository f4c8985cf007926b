// Voices as maps in the plane: where their frames lie, and where those lie that they are asked for.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/thread_pool.h"
#include "server/experiments/registry.h"
#include "server/retrieval/principal_plane.h"

namespace kith::experiments {

// Of one generation.
struct VoiceMap {
  explicit VoiceMap(retrieval::FrameView sample) : plane(sample) {}

  int64_t number = 0;  // of the map: no two have the same
  std::weak_ptr<const Generation> of;
  int64_t generation = 0;
  int64_t rows = 0;  // that it had when the map was made
  retrieval::PrincipalPlane plane;
  std::vector<float> points;  // x, y of a sample of its frames
};

// Makes maps when they are asked for, on a thread of its own that everything else goes before, and keeps the last ones.
// Thread-safe.
class VoiceMaps {
 public:
  // `registry` outlives this.
  explicit VoiceMaps(const Registry* registry);
  // Waits for the map that is being made.
  ~VoiceMaps();

  // Of the generation that serves, or null while that is being made or where it is not in memory: nothing is loaded
  // for this. EXPERIMENT_NOT_FOUND.
  absl::StatusOr<std::shared_ptr<const VoiceMap>> Find(const std::string& name);

  struct LiveBlock {
    int64_t number = 0;
    double age = 0;             // seconds
    std::vector<float> points;  // x, y of some of its frames
  };
  // The blocks that the voice was asked for lately, as points of its map, but for those up to number `after`. To be
  // called every few seconds: blocks are kept only while somebody does. None where there is no map. At most a few
  // voices are watched at once; the one that was asked for longest ago is given up.
  absl::StatusOr<std::vector<LiveBlock>> Live(const std::string& name, int64_t after);

 private:
  struct Known {
    std::string name;
    std::shared_ptr<const VoiceMap> map;
    bool making = false;
  };

  using Place = std::list<Known>::iterator;

  Place PlaceOf(const std::string& name);  // with mutex_ held
  // With mutex_ held; the one that was asked for last is first in the list.
  Known* Touch(const std::string& name);
  void Make(const std::string& name, const std::shared_ptr<const Generation>& generation);
  void StartWatching(const std::shared_ptr<Traffic>& traffic);

  const Registry* const registry_;
  std::mutex mutex_;
  int64_t made_ = 0;                             // guarded by mutex_
  std::list<Known> known_;                       // guarded by mutex_
  std::list<std::shared_ptr<Traffic>> watched_;  // guarded by mutex_
  ThreadPool thread_;                            // last: its tasks use all of the above
};

}  // namespace kith::experiments
