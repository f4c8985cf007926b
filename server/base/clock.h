// Times inside the server: a steady clock for deadlines and durations. Wall-clock times are absl::Time.
#pragma once

#include <chrono>

namespace kith {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

// A deadline that never comes.
inline constexpr TimePoint kNoDeadline = TimePoint::max();

inline double SecondsSince(TimePoint start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace kith
