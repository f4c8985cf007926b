#include "client/cli/bench/bench_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/bench/server_times.h"

namespace kith::cli {
namespace {

double Milliseconds(LatencyHistogram::Nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

double PerSecond(int64_t count, double seconds) { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }

std::string Count(int64_t count, const char* what) { return absl::StrCat(count, " ", what, count == 1 ? "" : "s"); }

std::string Reasons(const LoadResult& result) {
  return absl::StrJoin(result.errors, ", ", [](std::string* out, const auto& error) {
    absl::StrAppend(out, error.second, " ", error.first);
  });
}

}  // namespace

Json BenchReport::ToJson() const {
  const LatencyHistogram& times = result.latencies;
  const auto percentile = [&](double percent) {
    return times.empty() ? Json(nullptr) : Json(Milliseconds(times.Percentile(percent)));
  };
  const double rate = PerSecond(result.answered_in_time, result.seconds);
  return {{"experiments", load.experiments},
          {"loop", load.rate ? "open" : "closed"},
          {"call", absl::StrCat(load.lane.unary ? "" : "Stream", load.lane.search ? "Search" : "Expand")},
          {"clients", load.clients},
          {"connections", load.connections},
          {"block_rows", load.block_rows},
          {"rate", load.rate ? Json(*load.rate) : Json(nullptr)},
          {"seconds", result.seconds},
          {"blocks", result.blocks},
          {"rows", result.blocks * load.block_rows},
          {"late", result.late},
          {"errors", result.failed()},
          {"reasons", result.errors},
          {"under_way", result.under_way},
          {"blocks_per_second", rate},
          {"rows_per_second", rate * load.block_rows},
          {"mean_ms", times.empty() ? Json(nullptr) : Json(Milliseconds(times.mean()))},
          {"p50_ms", percentile(50)},
          {"p90_ms", percentile(90)},
          {"p95_ms", percentile(95)},
          {"p99_ms", percentile(99)},
          {"p999_ms", percentile(99.9)},
          {"max_ms", percentile(100)},
          {"server", server ? HistogramsJson(*server) : Json(nullptr)}};
}

std::string BenchReport::ToText() const {
  std::string text = absl::StrCat(
      Count(load.clients, "client"), " over ", Count(load.connections, "connection"), ", blocks of ",
      Count(load.block_rows, "row"), ", ",
      load.rate ? absl::StrFormat("%g blocks a second each", *load.rate) : "each as fast as it is answered",
      absl::StrFormat(", %.1f s\n", result.seconds));
  const double rate = PerSecond(result.answered_in_time, result.seconds);
  absl::StrAppendFormat(&text, "%s answered, %.1f a second (%.0f rows a second); late %d, errors %d\n",
                        Count(result.blocks, "block"), rate, rate * load.block_rows, result.late, result.failed());
  if (result.under_way > 0) absl::StrAppend(&text, Count(result.under_way, "block"), " under way when it was ended\n");
  const LatencyHistogram& times = result.latencies;
  if (!times.empty()) {
    absl::StrAppend(&text, load.rate ? "from when a block was due, ms: " : "from when a block was sent, ms: ");
    absl::StrAppendFormat(&text, "mean %.3f", Milliseconds(times.mean()));
    for (const double percent : {50.0, 90.0, 95.0, 99.0, 99.9}) {
      absl::StrAppendFormat(&text, ", p%g %.3f", percent, Milliseconds(times.Percentile(percent)));
    }
    absl::StrAppendFormat(&text, ", max %.3f\n", Milliseconds(times.max()));
  }
  return text + (server ? HistogramsText(*server) : "the server does not tell where its time went\n");
}

std::string BenchReport::Message() const {
  if (result.failed() > 0) return absl::StrCat(Count(result.failed(), "block"), " failed: ", Reasons(result));
  if (exit_code() != kDone) return "nothing was measured";
  return "";
}

ExitCode BenchReport::exit_code() const {
  const bool measured = result.blocks > 0 || result.late > 0;
  return result.failed() > 0 || !measured ? kFailed : kDone;
}

}  // namespace kith::cli
