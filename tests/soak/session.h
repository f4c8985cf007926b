// One client's stay at the server: it connects, sends blocks over a stream, looks at every answer, and goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>

#include "client/cli/bench/latency_histogram.h"
#include "client/cpp/client.h"
#include "tests/soak/voice.h"

namespace kith::soak {

// What became of the blocks. Thread-safe by `mutex`, for all fields.
struct Outcome {
  std::mutex mutex;
  cli::LatencyHistogram latencies;  // of those answered with a result, from when they were due
  int64_t answered = 0;             // with the right result
  int64_t late = 0;                 // refused as LATE, or answered after their budget
  int64_t overloaded = 0;           // refused as OVERLOADED
  int64_t abandoned = 0;            // their client went away before the answer
  int64_t sessions = 0;
  std::map<std::string, int64_t> faults;  // by what they are: wrong results, other errors; there should be none
};

enum class Farewell {
  kClose,   // says that no more comes, and waits for what is under way
  kCancel,  // calls the stream off with blocks under way
  kVanish,  // the same, and its connection goes with it
};

struct SessionOptions {
  std::string address;
  int64_t rows = 0;  // of the voice that are there all the time; blocks are taken from them
  int block_rows = 16;
  int64_t blocks = 0;
  bool search = false;  // StreamSearch instead of StreamExpand
  // Between blocks, which are sent when they are due, whatever became of the earlier ones. Unset: each once the last
  // one was answered.
  std::optional<std::chrono::nanoseconds> interval;
  absl::Duration budget = absl::Milliseconds(250);
  Farewell farewell = Farewell::kClose;
};

// Returns when it has gone.
void RunSession(const Voice& voice, const SessionOptions& options, std::mt19937_64& random, Outcome* outcome);

}  // namespace kith::soak
