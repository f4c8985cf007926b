// In place of a sleep.
#pragma once

#include <chrono>
#include <stdexcept>
#include <thread>

namespace kith::testing {

// Waits until `condition` holds; throws where it does not within a generous time.
template <typename Condition>
void WaitUntil(const Condition& condition) {
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + std::chrono::seconds(120);
  while (!condition()) {
    if (steady_clock::now() > deadline) throw std::runtime_error("what was waited for has not come");
    std::this_thread::yield();
  }
}

}  // namespace kith::testing
