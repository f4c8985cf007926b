#include "client/cli/stream/stream_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/error.h"

namespace kith::cli {

void StreamReport::Add(const PlayoutCounts& playout, const LinkCounts& link) {
  ++clients;
  blocks += playout.blocks;
  rows += playout.rows;
  blended += playout.blended;
  late += playout.late;
  bypassed += playout.bypassed;
  errors += playout.errors + link.errors;
  failed_blocks += playout.errors;
  answers += playout.answers;
  reconnects += link.reconnects;
  latencies.Add(playout.latencies);
  if (block_error.ok()) block_error = playout.first_error;
  if (!link.last_error.ok()) link_error = link.last_error;
  if (link.refused) {
    ++refused;
    refusal = link.last_error;
  }
}

Json StreamReport::ToJson() const {
  const auto percentile = [this](double percent) {
    return latencies.empty() ? Json(nullptr) : Json(latencies.Percentile(percent));
  };
  return {{"clients", clients},
          {"blocks", blocks},
          {"rows", rows},
          {"late", late},
          {"bypassed", bypassed},
          {"errors", errors},
          {"reconnects", reconnects},
          {"p50_ms", percentile(50)},
          {"p95_ms", percentile(95)},
          {"p99_ms", percentile(99)},
          {"max_ms", percentile(100)}};
}

std::string StreamReport::ToText() const {
  std::string text =
      absl::StrFormat("%d client%s played %d blocks (%d frames)\nlate %d, bypassed %d, errors %d, reconnects %d\n",
                      clients, clients == 1 ? "" : "s", blocks, rows, late, bypassed, errors, reconnects);
  if (latencies.empty()) return text + "no block was answered\n";
  absl::StrAppendFormat(&text, "answered within: p50 %.2f ms, p95 %.2f ms, p99 %.2f ms, max %.2f ms\n",
                        latencies.Percentile(50), latencies.Percentile(95), latencies.Percentile(99),
                        latencies.Percentile(100));
  return text;
}

int StreamReport::ExitCode() const {
  if (failed_blocks > 0) return kFailed;
  if (blocks == 0) return kDone;
  if (answers > 0) return refused > 0 ? kFailed : kDone;
  // A server that refuses every stream was reached after all.
  const absl::Status& error = link_error.ok() ? opening_error : link_error;
  return !ErrorReason(error).empty() && !absl::IsUnavailable(error) ? kFailed : kNotReached;
}

std::string StreamReport::Message(const std::string& target) const {
  if (failed_blocks > 0)
    return absl::StrFormat("%d blocks failed; the first: %s", failed_blocks, block_error.message());
  if (answers > 0 && refused > 0) {
    return absl::StrFormat("%d of %d clients were refused; the last: %s", refused, clients, refusal.message());
  }
  if (answers > 0) return link_error.ok() ? "" : absl::StrCat("the last interruption was: ", link_error.message());
  if (blocks == 0) return "";
  const absl::Status& error = link_error.ok() ? opening_error : link_error;
  return error.ok() ? absl::StrCat("server not reached: no answer from ", target) : std::string(error.message());
}

}  // namespace kith::cli
