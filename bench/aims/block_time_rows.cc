#include <string>
#include <vector>

#include "bench/aims/remote.h"
#include "bench/aims/rows.h"
#include "bench/aims/spread.h"

namespace kith::bench {
namespace {

struct Aims {
  std::string rows;  // of the voice, for the names
  double one_thread = 0;
  double all_cores = 0;  // 0: no such row
  double threshold_1 = 0;
  double unary = 0;
};

std::string Figures(const Contender& one, const Contender& other) {
  return one.name + " p50 " + Text(SpreadOf(one.microseconds), " us") + "; " + other.name + " " +
         Text(SpreadOf(other.microseconds), " us") + "; ratio " + Text(RatioOf(one, other));
}

void Compare(Report& report, const std::string& name, const Contender& one, const Contender& other, double aim) {
  if (aim > 0) report.AtMost(name, RatioOf(one, other).median, aim, Figures(one, other));
}

void BlockTimes(Stage& stage, Report& report, const Voice& voice, const Aims& aims) {
  const auto baseline = stage.Local(voice);
  Remote remote(stage.server().address(), voice.name, voice.trained.nprobe);
  const auto local = [&](int threads, int threshold) {
    return [&, threads, threshold](int64_t block) {
      Baseline::Use(threads, threshold);
      baseline->Expand(voice.Block(block).values.data(), kBlock);
    };
  };
  const int cores = Baseline::Cores();
  Contender stream{"stream", [&](int64_t block) { remote.Stream(voice.Block(block)); }};
  Contender unary{"unary", [&](int64_t block) { remote.Expand(voice.Block(block)); }};
  Contender one_thread{"faiss and blend, 1 thread", local(1, kFaissThreshold)};
  Contender all_cores{Format("faiss and blend, %d threads", cores), local(cores, kFaissThreshold)};
  Contender threshold_1{"faiss and blend, 1 thread, BLAS threshold 1", local(1, 1)};

  std::vector<Contender*> contenders = {&stream, &one_thread};
  if (aims.unary > 0) contenders.push_back(&unary);
  if (aims.threshold_1 > 0) contenders.push_back(&threshold_1);
  if (aims.all_cores > 0) contenders.push_back(&all_cores);
  TakeTurns(contenders, stage.setting.quick ? 10 : 50, 20);

  Compare(report, "p50_" + aims.rows + "_vs_1_thread", stream, one_thread, aims.one_thread);
  Compare(report, "p50_" + aims.rows + "_vs_all_cores", stream, all_cores, aims.all_cores);
  Compare(report, "p50_" + aims.rows + "_vs_blas_threshold_1", stream, threshold_1, aims.threshold_1);
  Compare(report, "unary_vs_stream", unary, stream, aims.unary);
}

}  // namespace

void TypicalVoiceRows(Stage& stage, Report& report) {
  BlockTimes(stage, report, stage.Generated(30000), {"30000", 0.3, 0.65, 0.8, 1.3});
}

void LargeVoiceRows(Stage& stage, Report& report) {
  const Voice& voice = stage.setting.quick ? stage.WithoutKMeans(100000) : stage.Generated(100000);
  BlockTimes(stage, report, voice, {"100000", 0.2, 0.4, 0.6, 0});
}

void ShortVoiceRows(Stage& stage, Report& report) { BlockTimes(stage, report, stage.Short(), {"7253", 0.8, 0, 0, 0}); }

}  // namespace kith::bench
