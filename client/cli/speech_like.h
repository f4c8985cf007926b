// Frames that look like speech, for those who have none at hand.
//
// A frame is the sum of four parts: one vector common to all frames; the vector of the current state (300 of them, each
// held for several frames, as a phone is); a slow wander in a few dimensions, as pronunciation varies; and noise. Their
// shares of the energy are chosen so that the statistics are those of real ContentVec frames: mean -0.008, standard
// deviation 0.326 (a row norm of about 9 at 768 dimensions), cosine 0.75 to 0.81 between adjacent frames and about 0.1
// between random ones.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace kith::cli {

// An endless voice. The same seed and dimension give the same frames, however many are asked for at a time. Not
// thread-safe.
class SpeechLike {
 public:
  SpeechLike(int dimension, uint64_t seed);

  // The next rows of it, row-major [rows, dimension].
  std::vector<float> Next(int64_t rows);

 private:
  float Normal() { return normal_(random_); }
  std::vector<float> Direction(double energy);
  void EnterNextState();
  void AddRow(float* row);

  const int dimension_;
  std::mt19937_64 random_;
  std::normal_distribution<float> normal_;
  std::vector<float> common_;
  std::vector<std::vector<float>> states_;
  std::vector<std::vector<float>> wander_directions_;
  std::vector<float> wander_;  // where the slow wander is now, along each of its directions
  size_t state_ = 0;
  int frames_left_ = 0;  // in the current state
};

}  // namespace kith::cli
