#include <cstdio>
#include <vector>

#include "bench/aims/remote.h"
#include "bench/aims/rows.h"
#include "bench/aims/spread.h"

namespace kith::bench {
namespace {

constexpr double kTies = 0.001;  // neighbours at the same distance may change places

double RemoteRecall(Stage& stage, const Voice& voice, const std::vector<int64_t>& exact) {
  Remote remote(stage.server().address(), voice.name, voice.trained.nprobe);
  return Recall(remote.Search(voice.queries).ids, exact);
}

// Blocks by `nprobe` (0: the voice's own) beside the baseline of `plain` at its nprobe on one thread.
void CompareAuto(Stage& stage, Report& report, const std::string& name, const Voice& voice, int nprobe,
                 Baseline& baseline) {
  Remote remote(stage.server().address(), voice.name, nprobe);
  Contender stream{"stream", [&](int64_t block) { remote.Stream(voice.Block(block)); }};
  Contender local{"faiss and blend, nprobe 1", [&](int64_t block) {
                    Baseline::Use(1);
                    baseline.Expand(voice.Block(block).values.data(), kBlock);
                  }};
  TakeTurns({&stream, &local}, stage.setting.quick ? 10 : 50, 20);
  const Spread ratio = RatioOf(stream, local);
  report.AtMost(name, ratio.median, 0.6,
                Format("%s, nprobe %d: stream p50 %s; faiss and blend, nprobe 1, 1 thread %s; ratio %s",
                       voice.trained.factory.c_str(), nprobe > 0 ? nprobe : voice.trained.nprobe,
                       Text(SpreadOf(stream.microseconds), " us").c_str(),
                       Text(SpreadOf(local.microseconds), " us").c_str(), Text(ratio).c_str()));
}

}  // namespace

void RecallRows(Stage& stage, Report& report) {
  const Voice& voice = stage.Short();
  const char* asked = stage.has_real_frames() ? "other speakers" : "the same generated voice";
  const std::vector<int64_t> exact = ExactNeighbors(voice.frames, voice.queries);
  const auto baseline = stage.Local(voice);
  baseline->Search(voice.queries.values.data(), voice.queries.rows());
  const double local = Recall(baseline->ids(), exact);
  const double remote = RemoteRecall(stage, voice, exact);
  report.AtLeast("recall_at_8_vs_faiss", remote / local, 1 - kTies,
                 Format("recall@8 of %lld rows of %s at nprobe %d: kithd %.4f, faiss %.4f",
                        static_cast<long long>(voice.queries.rows()), asked, voice.trained.nprobe, remote, local));
  const Voice& chosen = stage.Short("auto");
  report.AtLeast("recall_at_8_of_auto", RemoteRecall(stage, chosen, exact), 0.95,
                 Format("recall@8 of the same rows with %s, nprobe %d, that auto chose", chosen.trained.factory.c_str(),
                        chosen.trained.nprobe));
}

void AutoRows(Stage& stage, Report& report) {
  const Voice& plain = stage.Generated(30000);
  const Voice& chosen = stage.Generated(30000, "auto");
  const auto baseline = stage.Local(plain);
  CompareAuto(stage, report, "auto_30000_vs_1_thread", chosen, 0, *baseline);
  // Generated frames are easier than speech. What auto chooses on real ones tells what those would take.
  if (!stage.has_real_frames()) return;
  const int nprobe = stage.Short("auto").trained.nprobe;
  if (nprobe > 0 && chosen.trained.nprobe > 0) {
    CompareAuto(stage, report, "auto_30000_real_nprobe_vs_1_thread", chosen, nprobe, *baseline);
  }
}

}  // namespace kith::bench
