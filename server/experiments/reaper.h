// Where generations go that nobody uses any more.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "server/experiments/experiment.h"

namespace kith::experiments {

// Frees generations on a thread of its own, because that takes milliseconds that the search which was the last to use
// one must not be held up for, and then gives the memory back to the system. Thread-safe.
class Reaper {
 public:
  Reaper() : thread_([this] { Work(); }) {}
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // A pointer to the generation whose last owner hands it over to `reaper`.
  static std::shared_ptr<Generation> Own(std::shared_ptr<Reaper> reaper, std::unique_ptr<Generation> generation);

  // Waits until all that was handed over before is freed. False: there was nothing.
  bool WaitUntilDone();

 private:
  void Take(std::unique_ptr<Generation> generation);
  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Generation>> waiting_;  // guarded by mutex_
  bool busy_ = false;                                // guarded by mutex_
  bool stopping_ = false;                            // guarded by mutex_
  std::thread thread_;
};

}  // namespace kith::experiments
