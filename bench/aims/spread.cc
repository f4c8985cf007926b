#include "bench/aims/spread.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace kith::bench {
namespace {

double Quantile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(std::lround(share * static_cast<double>(sorted.size() - 1)))];
}

}  // namespace

Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {Quantile(values, 0.25), Quantile(values, 0.5), Quantile(values, 0.75)};
}

std::string Text(const Spread& spread, const char* unit) {
  char text[96];
  const char* format = spread.median < 10 ? "%.3f%s (%.3f to %.3f)" : "%.0f%s (%.0f to %.0f)";
  std::snprintf(text, sizeof(text), format, spread.median, unit, spread.low, spread.high);
  return text;
}

void TakeTurns(const std::vector<Contender*>& contenders, int rounds, int calls) {
  for (int round = -1; round < rounds; ++round) {  // the first warms up
    for (Contender* contender : contenders) {
      std::vector<double> taken;
      for (int call = 0; call < calls; ++call) {
        const auto start = std::chrono::steady_clock::now();
        contender->call(static_cast<int64_t>(round + 1) * calls + call);
        const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
        taken.push_back(time.count());
      }
      if (round < 0) continue;
      contender->microseconds.insert(contender->microseconds.end(), taken.begin(), taken.end());
      contender->round_medians.push_back(SpreadOf(taken).median);
    }
  }
}

Spread RatioOf(const Contender& one, const Contender& other) {
  std::vector<double> ratios;
  for (size_t i = 0; i < one.round_medians.size(); ++i) ratios.push_back(one.round_medians[i] / other.round_medians[i]);
  Spread spread = SpreadOf(ratios);
  spread.median = one.p50() / other.p50();
  return spread;
}

}  // namespace kith::bench
