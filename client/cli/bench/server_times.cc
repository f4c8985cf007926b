#include "client/cli/bench/server_times.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace kith::cli {
namespace {

const Histogram* Find(const std::vector<Histogram>& histograms, const Histogram& like) {
  const auto found = std::find_if(histograms.begin(), histograms.end(), [&](const Histogram& histogram) {
    return histogram.name == like.name && histogram.bounds == like.bounds &&
           histogram.counts.size() == like.counts.size() && histogram.count <= like.count;
  });
  return found == histograms.end() ? nullptr : &*found;
}

// What a person reads: its name, and by how much its values are to be multiplied.
struct Shown {
  std::string name;
  double factor;
};

Shown ShownAs(const Histogram& histogram) {
  const absl::string_view name = absl::StripPrefix(histogram.name, "kith_");
  if (!absl::EndsWith(name, "_seconds")) return {std::string(name), 1};
  return {absl::StrCat(absl::StripSuffix(name, "_seconds"), "_ms"), 1000};
}

double MeanOf(const Histogram& histogram) { return histogram.sum / static_cast<double>(histogram.count); }

}  // namespace

std::vector<Histogram> Observed(const std::vector<Histogram>& before, const std::vector<Histogram>& after) {
  std::vector<Histogram> observed = after;
  for (Histogram& histogram : observed) {
    const Histogram* earlier = Find(before, histogram);
    if (earlier == nullptr) continue;
    histogram.sum -= earlier->sum;
    histogram.count -= earlier->count;
    for (size_t i = 0; i < histogram.counts.size(); ++i) histogram.counts[i] -= earlier->counts[i];
  }
  return observed;
}

double PercentileOf(const Histogram& histogram, double percent) {
  const double rank = percent / 100 * static_cast<double>(histogram.count);
  double below = 0;
  for (size_t i = 0; i < histogram.bounds.size() && i < histogram.counts.size(); ++i) {
    const auto here = static_cast<double>(histogram.counts[i]);
    if (here > 0 && below + here >= rank) {
      const double low = i == 0 ? 0 : histogram.bounds[i - 1];
      return low + (histogram.bounds[i] - low) * (rank - below) / here;
    }
    below += here;
  }
  return histogram.bounds.empty() ? 0 : histogram.bounds.back();
}

Json HistogramsJson(const std::vector<Histogram>& histograms) {
  Json report = Json::object();
  for (const Histogram& histogram : histograms) {
    const Shown shown = ShownAs(histogram);
    const bool empty = histogram.count == 0;
    const auto percentile = [&](double percent) {
      return empty ? Json(nullptr) : Json(PercentileOf(histogram, percent) * shown.factor);
    };
    report[shown.name] = {{"count", histogram.count},
                          {"mean", empty ? Json(nullptr) : Json(MeanOf(histogram) * shown.factor)},
                          {"p50", percentile(50)},
                          {"p95", percentile(95)},
                          {"p99", percentile(99)}};
  }
  return report;
}

std::string HistogramsText(const std::vector<Histogram>& histograms) {
  std::string text = absl::StrFormat("in the server %9s %9s %9s %9s %9s\n", "", "mean", "p50", "p95", "p99");
  for (const Histogram& histogram : histograms) {
    const Shown shown = ShownAs(histogram);
    absl::StrAppendFormat(&text, "  %-21s", shown.name);
    if (histogram.count == 0) {
      absl::StrAppend(&text, "  nothing observed\n");
      continue;
    }
    absl::StrAppendFormat(&text, " %9.3f %9.3f %9.3f %9.3f\n", MeanOf(histogram) * shown.factor,
                          PercentileOf(histogram, 50) * shown.factor, PercentileOf(histogram, 95) * shown.factor,
                          PercentileOf(histogram, 99) * shown.factor);
  }
  return text;
}

}  // namespace kith::cli
