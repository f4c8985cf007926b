// Frames as points in the plane, for people to look at.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "server/retrieval/frames.h"

namespace kith::retrieval {

// Principal component analysis: the two directions along which the frames of a sample differ most (Jolliffe, Principal
// Component Analysis, 2002). Thread-safe once it is made.
class PrincipalPlane {
 public:
  // Of at least one row, finite. The same sample gives the same projection. Takes about 100 passes over the sample, by
  // one thread.
  explicit PrincipalPlane(FrameView sample);

  int dimension() const { return static_cast<int>(mean_.size()); }

  // Where each row lies: x, y, x, y, ... into out[2 * frames.rows]. Most of the sample is within 0 to 1 on both axes;
  // what lies far outside is put at -0.5 or 1.5. `frames` have this dimension and are finite.
  void Apply(FrameView frames, float* out) const;

  // How much of the sample's variance is along each of the two, 0 to 1.
  const std::array<double, 2>& explained() const { return explained_; }

 private:
  struct Axis {
    std::vector<float> direction;
    float low = 0;    // that is put at 0
    float scale = 0;  // 1 / (what is put at 1 - low); 0 where all lie at one place
  };

  // `centred`: the sample without its mean.
  void FindDirections(const std::vector<float>& centred, int64_t rows);
  static void FitToSample(const std::vector<float>& centred, int64_t rows, Axis* axis);

  std::vector<float> mean_;
  std::array<Axis, 2> axes_;
  std::array<double, 2> explained_ = {};
};

}  // namespace kith::retrieval
