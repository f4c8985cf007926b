#include "client/cli/experiment_report.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace kith::cli {
namespace {

template <typename Value>
Json OrNull(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// "key:        values", the values below each other.
template <typename... Values>
std::string Line(const char* key, const Values&... values) {
  return absl::StrCat(absl::StrFormat("%-12s", absl::StrCat(key, ":")), values..., "\n");
}

std::string PreparationText(const Experiment& experiment) {
  std::string text;
  if (experiment.compression) {
    text = Line("compressed", "to ", experiment.compression->centres, " centres by mini-batch k-means");
  }
  if (const auto& expansion = experiment.expansion) {
    absl::StrAppend(&text, Line("expanded", expansion->neighbors, " neighbours, alpha ", expansion->alpha.value_or(3),
                                expansion->unit_norm ? ", norm 1" : ""));
  }
  return text;
}

std::string RecipeText(const Experiment& experiment) {
  if (!experiment.recipe.empty()) return experiment.recipe;
  return experiment.source_sha256.empty() ? "(own factory)" : "(imported)";
}

// "loaded", "pinned" (and so loaded), or "on disk".
std::string WhereText(const Experiment& experiment) {
  if (!experiment.resident) return "on disk";
  return experiment.pinned ? "pinned" : "loaded";
}

std::string WhatWasBuilt(const std::string& factory, int64_t nlist, int nprobe, float k_factor, double recall_at_8) {
  std::string text = factory;
  if (nlist > 0) absl::StrAppend(&text, ", nlist ", nlist, ", nprobe ", nprobe);
  if (k_factor > 0) absl::StrAppend(&text, ", k_factor ", k_factor);
  if (recall_at_8 > 0) absl::StrAppendFormat(&text, ", recall@8 %.3f", recall_at_8);
  return text;
}

// The generation that is served.
std::string ServedText(const Experiment& experiment) {
  return absl::StrCat(Line("frames", experiment.rows, " x ", experiment.dimension),
                      Line("metric", std::string(MetricName(experiment.metric))),
                      Line("recipe", RecipeText(experiment)), PreparationText(experiment),
                      Line("index", IndexText(experiment)), Line("generation", experiment.generation),
                      Line("created", TimeText(experiment.created)), Line("updated", TimeText(experiment.updated)));
}

// Where it is kept.
std::string StoredText(const Experiment& experiment) {
  const bool used = experiment.last_used != absl::InfinitePast();
  return absl::StrCat(Line("memory", MemoryText(experiment)), Line("pinned", experiment.pinned ? "yes" : "no"),
                      Line("on disk", MebibytesText(experiment.disk_bytes)),
                      Line("last used", used ? TimeText(experiment.last_used) : "not since the server started"));
}

}  // namespace

std::string TimeText(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }

Json TimeJson(absl::Time time) {
  if (time == absl::InfinitePast()) return nullptr;
  return TimeText(time);
}

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
          {"message", experiment.message.empty() ? Json(nullptr) : Json(experiment.message)},
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
          {"updated", TimeJson(experiment.updated)},
          {"disk_bytes", experiment.disk_bytes},
          {"pinned", experiment.pinned},
          {"last_used", TimeJson(experiment.last_used)}};
}

std::string IndexText(const Experiment& experiment) {
  return WhatWasBuilt(experiment.factory, experiment.nlist, experiment.nprobe, experiment.k_factor,
                      experiment.recall_at_8);
}

std::string IndexText(const Generation& generation) {
  return WhatWasBuilt(generation.factory, generation.nlist, generation.nprobe, /*k_factor=*/0, generation.recall_at_8);
}

std::string StateText(const Experiment& experiment) {
  std::string text(StateName(experiment.state));
  if (experiment.training && experiment.state != Experiment::State::kTraining) {
    absl::StrAppend(&text, ", being trained anew");
  }
  if (!experiment.message.empty()) absl::StrAppend(&text, ": ", experiment.message);
  return text;
}

std::string MebibytesText(int64_t bytes) {
  constexpr double kMebibyte = 1 << 20;
  return absl::StrFormat("%.1f MiB", static_cast<double>(bytes) / kMebibyte);
}

std::string MemoryText(const Experiment& experiment) {
  if (experiment.resident) return MebibytesText(experiment.bytes);
  return experiment.state == Experiment::State::kFailed ? "not loaded" : "not loaded; its next use loads it";
}

std::string ExperimentText(const Experiment& experiment) {
  std::string text = absl::StrCat(Line("name", experiment.name), Line("state", StateText(experiment)));
  if (experiment.generation > 0) absl::StrAppend(&text, ServedText(experiment));
  // Of a first training there is nothing yet.
  if (experiment.state != Experiment::State::kTraining) absl::StrAppend(&text, StoredText(experiment));
  return text;
}

std::string ListText(const std::vector<Experiment>& experiments) {
  std::string text;
  for (const Experiment& experiment : experiments) {
    absl::StrAppendFormat(&text, "%-24s %-9s", experiment.name, std::string(StateName(experiment.state)));
    if (experiment.generation > 0) {
      absl::StrAppendFormat(&text, "%9d x %-5d %-7s  %s", experiment.rows, experiment.dimension, WhereText(experiment),
                            IndexText(experiment));
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace kith::cli
