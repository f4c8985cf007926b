// How fast the workers are, as measured.
#pragma once

#include <optional>

#include "server/base/clock.h"

namespace kith::engine {

// Forgets what was long ago. Not thread-safe.
class Pace {
 public:
  // A worker took `taken` for so much work.
  void Measured(double work, Clock::duration taken);

  // What one worker gets done in `time`; unset as long as too little was measured to say.
  std::optional<double> WorkIn(Clock::duration time) const;

  // How long one worker takes; 0 as long as too little was measured to say.
  Clock::duration TimeFor(double work) const;

 private:
  // Sums over the past, the older the less; large batches count for more than small ones, which cost more for their
  // work and are not what there is when a queue is long.
  double work_ = 0;
  double seconds_ = 0;
  int batches_ = 0;
};

}  // namespace kith::engine
