// A voice of which every value is known without keeping any.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/client.h"

namespace kith::soak {

// Operations compare the answer with what the voice is made of; what is wrong they say by EXPECT_. They give the call's
// error. Thread-safe.
class Voice {
 public:
  // Its index has so many lists.
  Voice(int number, int dimension, int lists = 16) : number_(number), dimension_(dimension), lists_(lists) {}

  std::string name() const { return "voice-" + std::to_string(number_); }

  int dimension() const { return dimension_; }
  // What rows first to first + count - 1 are, if there are so many. All values are different ones.
  Frames Rows(int64_t first, int64_t count) const;

  // On its first rows, whatever it had before.
  absl::Status Train(Client& client, int64_t rows);
  // A stored row finds itself.
  absl::Status Search(Client& client, std::mt19937_64& random);
  // A stored row, slightly moved, becomes itself.
  absl::Status Expand(Client& client, std::mt19937_64& random);
  absl::Status GetFrames(Client& client, std::mt19937_64& random);
  // Under a request id that stays until it succeeds.
  absl::Status Add(Client& client, std::mt19937_64& random);

 private:
  int64_t Draw(std::mt19937_64& random, int64_t count) const;

  const int number_;
  const int dimension_;
  const int lists_;
  std::atomic<int> trainings_{0};
  std::atomic<int64_t> rows_{0};  // acknowledged
  std::mutex adding_;             // one at a time, so that it is known which ids they get
};

}  // namespace kith::soak
