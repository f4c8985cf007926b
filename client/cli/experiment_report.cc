#include "client/cli/experiment_report.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace kith::cli {
namespace {

constexpr double kMebibyte = 1 << 20;

std::string TimeText(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }

Json TimeJson(absl::Time time) {
  if (time == absl::InfinitePast()) return nullptr;
  return TimeText(time);
}

template <typename Value>
Json OrNull(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string PreparationText(const Experiment& experiment) {
  std::string text;
  if (experiment.compression) {
    absl::StrAppend(&text, "compressed: to ", experiment.compression->centres, " centres by mini-batch k-means\n");
  }
  if (const auto& expansion = experiment.expansion) {
    absl::StrAppend(&text, "expanded:   ", expansion->neighbors, " neighbours, alpha ", expansion->alpha.value_or(3),
                    expansion->unit_norm ? ", norm 1" : "", "\n");
  }
  return text;
}

std::string RecipeText(const Experiment& experiment) {
  if (!experiment.recipe.empty()) return experiment.recipe;
  return experiment.source_sha256.empty() ? "(own factory)" : "(imported)";
}

}  // namespace

Json CompressionJson(const std::optional<Compression>& compression) {
  if (!compression) return nullptr;
  return {{"centres", compression->centres},
          {"batch_size", OrNull(compression->batch_size)},
          {"iterations", OrNull(compression->iterations)}};
}

Json ExpansionJson(const std::optional<Expansion>& expansion) {
  if (!expansion) return nullptr;
  return {
      {"neighbors", expansion->neighbors}, {"alpha", OrNull(expansion->alpha)}, {"unit_norm", expansion->unit_norm}};
}

Json ExperimentJson(const Experiment& experiment) {
  return {{"name", experiment.name},
          {"state", StateName(experiment.state)},
          {"rows", experiment.rows},
          {"dimension", experiment.dimension},
          {"metric", MetricName(experiment.metric)},
          {"recipe", experiment.recipe},
          {"compression", CompressionJson(experiment.compression)},
          {"expansion", ExpansionJson(experiment.expansion)},
          {"factory", experiment.factory},
          {"nlist", experiment.nlist},
          {"nprobe", experiment.nprobe},
          {"k_factor", experiment.k_factor},
          {"generation", experiment.generation},
          {"recall_at_8", experiment.recall_at_8},
          {"bytes", experiment.bytes},
          {"resident", experiment.resident},
          {"created", TimeJson(experiment.created)},
          {"updated", TimeJson(experiment.updated)}};
}

std::string IndexText(const Experiment& experiment) {
  std::string text = experiment.factory;
  if (experiment.nlist > 0) absl::StrAppend(&text, ", nlist ", experiment.nlist, ", nprobe ", experiment.nprobe);
  if (experiment.k_factor > 0) absl::StrAppend(&text, ", k_factor ", experiment.k_factor);
  if (experiment.recall_at_8 > 0) absl::StrAppendFormat(&text, ", recall@8 %.3f", experiment.recall_at_8);
  return text;
}

std::string ExperimentText(const Experiment& experiment) {
  std::string text = absl::StrCat("name:       ", experiment.name, "\nstate:      ");
  absl::StrAppend(&text, std::string(StateName(experiment.state)));
  if (experiment.training && experiment.state != Experiment::State::kTraining) {
    absl::StrAppend(&text, ", being trained anew");
  }
  if (!experiment.message.empty()) absl::StrAppend(&text, ": ", experiment.message);
  absl::StrAppend(&text, "\n");
  if (experiment.generation == 0) return text;
  absl::StrAppend(&text, "frames:     ", experiment.rows, " x ", experiment.dimension, "\n");
  absl::StrAppend(&text, "metric:     ", std::string(MetricName(experiment.metric)), "\n");
  absl::StrAppend(&text, "recipe:     ", RecipeText(experiment), "\n");
  absl::StrAppend(&text, PreparationText(experiment));
  absl::StrAppend(&text, "index:      ", IndexText(experiment), "\n");
  absl::StrAppend(&text, "generation: ", experiment.generation, "\n");
  absl::StrAppendFormat(&text, "memory:     %.1f MiB%s\n", static_cast<double>(experiment.bytes) / kMebibyte,
                        experiment.resident ? "" : " (not loaded now)");
  absl::StrAppend(&text, "created:    ", TimeText(experiment.created), "\n");
  absl::StrAppend(&text, "updated:    ", TimeText(experiment.updated), "\n");
  return text;
}

}  // namespace kith::cli
