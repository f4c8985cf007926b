#include "client/cli/speech_like.h"

#include <cmath>

namespace kith::cli {
namespace {

constexpr double kMean = -0.008;
constexpr double kVariance = 0.326 * 0.326;

// Shares of the energy. Adjacent frames then have a cosine of about
// common + states * (1 - 1 / mean frames a state) + wander * persistence = 0.78.
constexpr double kCommonShare = 0.10;
constexpr double kStateShare = 0.50;
constexpr double kWanderShare = 0.35;
constexpr double kNoiseShare = 0.05;

constexpr int kStates = 300;
constexpr int kMinFrames = 2;  // in a state
constexpr int kMaxFrames = 8;
constexpr int kWanderDimensions = 32;
constexpr double kWanderPersistence = 0.8;

}  // namespace

SpeechLike::SpeechLike(int dimension, uint64_t seed) : dimension_(dimension), random_(seed) {
  common_ = Direction(kCommonShare);
  for (float& value : common_) value += static_cast<float>(kMean);
  for (int i = 0; i < kStates; ++i) states_.push_back(Direction(kStateShare));
  for (int i = 0; i < kWanderDimensions; ++i) {
    wander_directions_.push_back(Direction(kWanderShare / kWanderDimensions));
    wander_.push_back(Normal());
  }
}

// A random vector of mean 0 that brings `energy` of the variance to every dimension.
std::vector<float> SpeechLike::Direction(double energy) {
  std::vector<float> values(dimension_);
  double sum = 0;
  for (float& value : values) sum += value = Normal();
  double squares = 0;
  for (float& value : values) {
    value -= static_cast<float>(sum / dimension_);
    squares += static_cast<double>(value) * value;
  }
  const double scale = squares > 0 ? std::sqrt(energy * kVariance * dimension_ / squares) : 0;
  for (float& value : values) value = static_cast<float>(value * scale);
  return values;
}

void SpeechLike::EnterNextState() {
  const size_t step = 1 + random_() % (states_.size() - 1);  // another one than now
  state_ = (state_ + step) % states_.size();
  frames_left_ = kMinFrames + static_cast<int>(random_() % (kMaxFrames - kMinFrames + 1));
}

void SpeechLike::AddRow(float* row) {
  if (frames_left_ == 0) EnterNextState();
  --frames_left_;
  const std::vector<float>& state = states_[state_];
  const auto noise = static_cast<float>(std::sqrt(kNoiseShare * kVariance));
  for (int d = 0; d < dimension_; ++d) row[d] = common_[d] + state[d] + noise * Normal();

  const auto kept = static_cast<float>(kWanderPersistence);
  const auto fresh = static_cast<float>(std::sqrt(1 - kWanderPersistence * kWanderPersistence));
  for (size_t i = 0; i < wander_.size(); ++i) {
    wander_[i] = kept * wander_[i] + fresh * Normal();
    const float* direction = wander_directions_[i].data();
    for (int d = 0; d < dimension_; ++d) row[d] += wander_[i] * direction[d];
  }
}

std::vector<float> SpeechLike::Next(int64_t rows) {
  std::vector<float> values(rows * dimension_);
  for (int64_t row = 0; row < rows; ++row) AddRow(values.data() + row * dimension_);
  return values;
}

}  // namespace kith::cli
