// Frames for tests: made ones that look a little like speech, and real ones where they are at hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/retrieval/frames.h"

namespace kith::testing {

// Rows that come in runs around a few dozen centres, as speech does. Deterministic.
retrieval::Frames SpeechLike(int64_t rows, int dimension, uint64_t seed = 1);

// The real frames under ../shared/data, for example "voice-a/3_feature768" (a folder: its files in the order of their
// names) or "queries/speaker-b_299x768.npy". Nothing where they are not there, as for most people.
std::optional<retrieval::Frames> RealFrames(const std::string& path);

}  // namespace kith::testing

// Skips the test, saying so, where the real frames are not at hand.
#define KITH_SKIP_WITHOUT(frames) \
  if (!(frames)) GTEST_SKIP() << "the real frames are not at hand: ../shared/data is missing"
