// Programs run in a process of their own, within limits: for what may crash or never end.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kith {

struct SubprocessLimits {
  int64_t memory_bytes = 0;  // of address space; 0: none
  int64_t file_bytes = 0;    // of any file that it writes; 0: none
  int cpu_seconds = 0;       // 0: none
  absl::Duration time = absl::InfiniteDuration();
  int64_t output_bytes = 4096;  // of stdout that are kept; what comes behind is dropped
};

struct SubprocessResult {
  int exit_code = -1;      // -1: it did not exit by itself
  int signal = 0;          // that ended it; 0: none
  bool timed_out = false;  // and was killed for it
  bool cancelled = false;  // and was killed for it
  std::string output;      // its stdout
};

// Runs `program` (a path) with `arguments` and waits for its end. It gets no file descriptors but an empty stdin, a
// stdout that is gathered and a stderr that goes nowhere; no core file; default signals; one OpenMP thread; and is
// killed when the calling thread ends. `cancelled` (may be null) is asked now and then. An error only where it could
// not be started: INTERNAL. Thread-safe.
absl::StatusOr<SubprocessResult> RunSubprocess(const std::string& program, const std::vector<std::string>& arguments,
                                               const SubprocessLimits& limits, const std::function<bool()>& cancelled);

// The path at which a process finds its own program, even one that was replaced on disk since.
inline constexpr char kOwnProgram[] = "/proc/self/exe";

}  // namespace kith
