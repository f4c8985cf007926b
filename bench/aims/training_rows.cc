#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "bench/aims/remote.h"
#include "bench/aims/rows.h"
#include "bench/aims/spread.h"

namespace kith::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kRows = 100000;

struct KithTraining {
  double seconds = 0;  // of the whole call: upload, building, recall, saving
  std::map<TrainPhase, double> phases;
  Experiment built;
};

KithTraining TrainWithKith(Client& client, const Voice& voice) {
  KithTraining training;
  TrainPhase phase = TrainPhase::kReceiving;
  const auto start = Clock::now();
  auto since = start;
  const auto close_phase = [&](TrainPhase next) {
    const auto now = Clock::now();
    training.phases[phase] += std::chrono::duration<double>(now - since).count();
    since = now;
    phase = next;
  };
  TrainOptions options;
  options.recipe = Recipe{};
  options.recipe->name = "rvc";
  options.on_progress = [&](const TrainProgress& progress) {
    if (progress.phase != phase) close_phase(progress.phase);
  };
  training.built = TrainVoice(client, voice.name, voice.frames, options);
  close_phase(TrainPhase::kDone);
  training.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return training;
}

std::string PhasesText(const KithTraining& training) {
  std::string text;
  for (const auto& [phase, seconds] : training.phases) {
    if (seconds >= 0.05) text += Format("%s%s %.1f", text.empty() ? "" : ", ", PhaseName(phase).data(), seconds);
  }
  return text;
}

}  // namespace

void TrainingRows(Stage& stage, Report& report) {
  const Voice voice = GeneratedVoice(kRows, 3);
  const std::vector<int64_t> exact = ExactNeighbors(voice.frames, voice.queries);
  std::vector<double> kith_seconds;
  std::vector<double> faiss_seconds;
  double kith_recall = 0;
  double faiss_recall = 0;
  std::string phases;
  for (int round = 0; round < (stage.setting.quick ? 1 : 3); ++round) {
    const KithTraining training = TrainWithKith(stage.client(), voice);
    kith_seconds.push_back(training.seconds);
    phases = PhasesText(training);
    kith_recall = Recall(Remote(stage.server().address(), voice.name, 1).Search(voice.queries).ids, exact);
    const FaissTraining faiss = TrainWithFaiss(training.built.factory, voice.frames, voice.queries, exact);
    faiss_seconds.push_back(faiss.seconds);
    faiss_recall = faiss.recall;
  }
  const absl::Status deleted = stage.client().Delete(voice.name);
  if (!deleted.ok()) Die(std::string(deleted.message()));
  const Spread kith = SpreadOf(kith_seconds);
  const Spread faiss = SpreadOf(faiss_seconds);
  report.AtMost(
      "training_100000_vs_faiss", kith.median / faiss.median, 0.5,
      "the whole Train " + Text(kith, " s") + " (" + phases + "); faiss's train and add " + Text(faiss, " s"));
  report.AtLeast("training_100000_recall_vs_faiss", kith_recall / faiss_recall, 0.995,
                 Format("recall@8 at nprobe 1: kithd %.4f, faiss %.4f", kith_recall, faiss_recall));
}

}  // namespace kith::bench
