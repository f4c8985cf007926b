// How long work is watched and stopped.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "server/base/status.h"

namespace kith::retrieval {

// Called with steps done and steps in all; false stops the work before its next step.
using StepObserver = absl::FunctionRef<bool(int64_t done, int64_t total)>;

// What work that was stopped answers.
inline absl::Status Cancelled() { return Error(Reason::kCancelled, "the training was cancelled"); }

}  // namespace kith::retrieval
