// Times of calls that were made in turns, and how far they spread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace kith::bench {

struct Spread {
  double low = 0;  // the first quartile
  double median = 0;
  double high = 0;  // the third
};

// Of one value at least.
Spread SpreadOf(std::vector<double> values);

// "0.312 (0.305 to 0.321)"
std::string Text(const Spread& spread, const char* unit = "");

// One of those that are timed on the same work.
struct Contender {
  std::string name;
  std::function<void(int64_t block)> call;
  std::vector<double> microseconds = {};   // of each call
  std::vector<double> round_medians = {};  // of each turn

  double p50() const { return SpreadOf(microseconds).median; }
};

// Each contender in turn makes `calls` calls on the same blocks, `rounds` times over; a round before that warms up.
void TakeTurns(const std::vector<Contender*>& contenders, int rounds, int calls);

// The medians of the one by those of the other: of all calls, with the quartiles over the turns.
Spread RatioOf(const Contender& one, const Contender& other);

}  // namespace kith::bench
