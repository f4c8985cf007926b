#include "server/app/status_page.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/clock.h"

namespace kith::app {
namespace {

using Json = nlohmann::ordered_json;

// That a page shows at once. A page of a thousand lines is looked at by nobody.
constexpr size_t kMostVoices = 500;

http::JsonAnswer Made(const Json& json, int status = 200) {
  return {status, json.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

const char* NameOf(experiments::State state) {
  switch (state) {
    case experiments::State::kTraining:
      return "training";
    case experiments::State::kReady:
      return "ready";
    case experiments::State::kDegraded:
      return "degraded";
    case experiments::State::kFailed:
      return "failed";
  }
  return "";
}

Json VoiceJson(const experiments::Description& voice) {
  const storage::GenerationInfo& stored = voice.record.generation;
  const bool resident = voice.generation != nullptr;
  const retrieval::Recipe& recipe = resident ? voice.generation->recipe : stored.recipe;
  const retrieval::BuildReport& report = resident ? voice.generation->index->report() : stored.report;
  return {{"name", voice.record.name},
          {"state", NameOf(voice.state)},
          {"message", std::string(voice.failure.message())},
          {"in_training", voice.training},
          {"rows", resident ? voice.generation->index->rows() : voice.record.total_rows},
          {"dimension", resident ? voice.generation->index->dimension() : stored.dimension},
          {"metric", std::string(retrieval::MetricName(recipe.metric))},
          {"factory", report.factory},
          {"nprobe", report.nprobe},
          {"generation", resident ? voice.generation->number : stored.number},
          {"recall", report.recall_at_8},
          {"resident", resident},
          {"pinned", voice.pinned},
          {"memory_bytes", resident ? voice.generation->memory.bytes() : 0},
          {"disk_bytes", voice.record.disk_bytes}};
}

Json VoicesJson(const experiments::Registry& registry) {
  std::map<std::string, experiments::TrafficReading> traffic;
  for (experiments::TrafficReading& reading : registry.ReadTraffic()) traffic[reading.experiment] = std::move(reading);
  Json voices = Json::array();
  constexpr size_t kAtOnce = 50;  // a search that needs the registry waits
  std::string after;
  for (bool last = false; !last && voices.size() < kMostVoices;) {
    const auto page = registry.List(after, kAtOnce);
    last = page.size() < kAtOnce;
    if (!page.empty()) after = page.back().record.name;
    for (const experiments::Description& voice : page) {
      Json json = VoiceJson(voice);
      const experiments::TrafficReading& counts = traffic[voice.record.name];
      json["blocks"] = counts.blocks;
      json["searched"] = counts.rows;
      json["late"] = counts.late;
      json["refused"] = counts.refused;
      voices.push_back(std::move(json));
    }
  }
  return voices;
}

Json TrainingsJson(const experiments::Trainer& trainer) {
  Json trainings = Json::array();
  for (const experiments::TrainingProgress& progress : trainer.Progress()) {
    trainings.push_back({{"experiment", progress.experiment},
                         {"import", progress.is_import},
                         {"running", progress.running},
                         {"phase", experiments::PhaseName(progress.phase)},
                         {"done", progress.done},
                         {"total", progress.total},
                         {"seconds", progress.seconds}});
  }
  return trainings;
}

Json HistogramsJson(const telemetry::Metrics& metrics) {
  Json histograms = Json::object();
  for (const telemetry::HistogramReading& reading : metrics.BlockHistograms()) {
    histograms[reading.name] = {
        {"bounds", reading.bounds}, {"counts", reading.counts}, {"sum", reading.sum}, {"count", reading.count}};
  }
  return histograms;
}

// Pairs of uint16, little-endian, in base64: -0.5 is 0, 1.5 is 65535.
std::string Packed(const std::vector<float>& points) {
  constexpr float kMost = 65535;
  std::string bytes;
  bytes.reserve(2 * points.size());
  for (const float place : points) {
    const auto value = static_cast<uint16_t>(std::lround(std::clamp((place + 0.5F) / 2, 0.0F, 1.0F) * kMost));
    bytes += static_cast<char>(value & 0xFF);
    bytes += static_cast<char>(value >> 8);
  }
  return absl::Base64Escape(bytes);
}

http::JsonAnswer NoVoice(const absl::Status& status) {
  return Made({{"error", std::string(status.message())}}, absl::IsNotFound(status) ? 404 : 500);
}

}  // namespace

std::optional<http::JsonAnswer> StatusPage::Answer(const std::string& what,
                                                   const std::map<std::string, std::string>& query) {
  const auto parameter = [&](const char* name) {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
  };
  if (what == "status") return Status();
  if (what == "map") return Map(parameter("voice"), parameter("known"));
  if (what == "live") return Live(parameter("voice"), parameter("after"));
  return std::nullopt;
}

http::JsonAnswer StatusPage::Status() {
  const Observed& observed = observer_->observed();
  const telemetry::Levels levels = observer_->Look();
  const telemetry::FailedBlocks failed = metrics_->ReadFailedBlocks();
  const double now = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  return Made(
      {{"now", now},
       {"up_seconds", now - levels.start_seconds},
       {"ready", observed.ready()},
       {"version", label_.version},
       {"instruction_set", label_.instruction_set},
       {"search_threads", label_.search_threads},
       {"queue_rows", levels.queue_rows},
       {"late", failed.late},
       {"refused", failed.refused},
       {"experiments",
        {{"all", levels.training + levels.ready + levels.degraded + levels.failed},
         {"resident", levels.resident},
         {"degraded", levels.degraded},
         {"failed", levels.failed},
         {"rows", levels.stored_rows}}},
       {"memory",
        {{"budget", levels.memory_budget_bytes},
         {"reserved", levels.memory_reserved_bytes},
         {"voices", levels.resident_bytes},
         {"process", levels.process_bytes}}},
       {"disk", {{"data", levels.data_bytes}, {"free", levels.disk_free_bytes}, {"size", levels.disk_size_bytes}}},
       {"cpu_seconds", levels.cpu_seconds},
       {"histograms", HistogramsJson(*metrics_)},
       {"trainings", TrainingsJson(*observed.trainer)},
       {"voices", VoicesJson(*observed.registry)}});
}

http::JsonAnswer StatusPage::Map(const std::string& voice, const std::string& known) {
  const auto map = maps_.Find(voice);
  if (!map.ok()) return NoVoice(map.status());
  if (*map == nullptr) {
    const auto description = observer_->observed().registry->Describe(voice);
    const bool resident = description.ok() && description->generation != nullptr;
    return Made({{"state", resident ? "making" : "not_in_memory"}});
  }
  const std::string tag = absl::StrCat((*map)->number);
  if (tag == known) return Made({{"state", "ready"}, {"tag", tag}});
  return Made({{"state", "ready"},
               {"tag", tag},
               {"generation", (*map)->generation},
               {"rows", (*map)->rows},
               {"sampled", (*map)->points.size() / 2},
               {"explained", (*map)->plane.explained()},
               {"points", Packed((*map)->points)}});
}

http::JsonAnswer StatusPage::Live(const std::string& voice, const std::string& after) {
  int64_t number = 0;
  if (!after.empty() && !absl::SimpleAtoi(after, &number)) return Made({{"error", "after: not a number"}}, 400);
  const auto live = maps_.Live(voice, number);
  if (!live.ok()) return NoVoice(live.status());
  Json blocks = Json::array();
  for (const auto& block : *live) {
    blocks.push_back({{"number", block.number}, {"age", block.age}, {"points", Packed(block.points)}});
  }
  return Made({{"blocks", std::move(blocks)}});
}

}  // namespace kith::app
