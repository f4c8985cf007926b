#include "client/cli/tune_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/experiment_report.h"

namespace kith::cli {
namespace {

constexpr double kMebibyte = 1 << 20;

template <typename Value>
Json OrNull(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

char Mark(const TuneCandidate& candidate, bool all) {
  if (candidate.chosen) return '*';
  return all && candidate.pareto ? '+' : ' ';
}

}  // namespace

std::string CandidateName(const TuneCandidate& candidate) {
  const Recipe& recipe = candidate.recipe;
  std::string name;
  if (recipe.compression) absl::StrAppend(&name, "compressed to ", recipe.compression->centres, ", ");
  if (recipe.expansion) absl::StrAppend(&name, "expanded by ", recipe.expansion->neighbors, ", ");
  absl::StrAppend(&name, candidate.factory);
  if (recipe.nprobe) absl::StrAppend(&name, ", nprobe ", *recipe.nprobe);
  if (recipe.k_factor) absl::StrAppend(&name, ", k_factor ", *recipe.k_factor);
  return name;
}

std::string CandidateTable(const std::vector<TuneCandidate>& candidates, bool all) {
  std::string table =
      absl::StrFormat("  %8s  %8s  %9s  %10s  %9s  %s\n", "recall@8", "blend", "us/row", "memory", "build", "index");
  for (const TuneCandidate& candidate : candidates) {
    if (!all && !candidate.pareto && !candidate.chosen) continue;
    absl::StrAppendFormat(&table, "%c %8.3f  %8.5f  %9.1f  %6.1f MiB  %7.1f s  %s\n", Mark(candidate, all),
                          candidate.recall_at_8, candidate.blend_cosine, candidate.microseconds_per_row,
                          static_cast<double>(candidate.bytes) / kMebibyte, candidate.build_seconds,
                          CandidateName(candidate));
  }
  return table;
}

Json CandidatesJson(const std::vector<TuneCandidate>& candidates) {
  Json list = Json::array();
  for (const TuneCandidate& candidate : candidates) {
    list.push_back({{"factory", candidate.factory},
                    {"compression", CompressionJson(candidate.recipe.compression)},
                    {"expansion", ExpansionJson(candidate.recipe.expansion)},
                    {"nprobe", OrNull(candidate.recipe.nprobe)},
                    {"k_factor", OrNull(candidate.recipe.k_factor)},
                    {"rows", candidate.rows},
                    {"recall_at_8", candidate.recall_at_8},
                    {"blend_cosine", candidate.blend_cosine},
                    {"us_per_row", candidate.microseconds_per_row},
                    {"bytes", candidate.bytes},
                    {"build_seconds", candidate.build_seconds},
                    {"pareto", candidate.pareto},
                    {"chosen", candidate.chosen}});
  }
  return list;
}

}  // namespace kith::cli
