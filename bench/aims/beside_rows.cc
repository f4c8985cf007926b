#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "bench/aims/remote.h"
#include "bench/aims/rows.h"
#include "bench/aims/spread.h"

namespace kith::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRowsASecond = 1000;

// The microseconds of Search after Search, until `over` says so.
void SearchUntil(Remote& remote, const Voice& voice, const std::function<bool()>& over, std::vector<double>* taken) {
  for (int64_t i = 0; !over(); ++i) {
    const auto sent = Clock::now();
    remote.Search(voice.Block(i));
    taken->push_back(std::chrono::duration<double, std::micro>(Clock::now() - sent).count());
  }
}

void SearchFor(Remote& remote, const Voice& voice, double seconds, std::vector<double>* taken) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  SearchUntil(
      remote, voice, [end] { return Clock::now() >= end; }, taken);
}

void Compare(Report& report, const std::string& name, const char* what, std::vector<double> idle,
             std::vector<double> beside) {
  const double idle_p99 = Percentile(&idle, 0.99);
  const double p99 = Percentile(&beside, 0.99);
  report.AtMost(name, p99 / idle_p99, 2,
                Format("p50, p99 of %zu searches alone: %.0f, %.0f us; of %zu beside %s: %.0f, %.0f us", idle.size(),
                       Percentile(&idle, 0.5), idle_p99, beside.size(), what, Percentile(&beside, 0.5), p99));
}

void BesideAdds(Stage& stage, Report& report, const Voice& voice, int addition) {
  const double seconds = stage.setting.quick ? 1 : 2;
  const auto pause = std::chrono::microseconds(int64_t{1000000} * addition / kRowsASecond);
  Remote remote(stage.server().address(), voice.name, 0);
  std::vector<double> idle;
  std::vector<double> beside;
  std::vector<double> warm_up;
  SearchFor(remote, voice, 0.3, &warm_up);
  for (int round = 0; round < (stage.setting.quick ? 2 : 5); ++round) {
    SearchFor(remote, voice, seconds, &idle);
    std::atomic<bool> stop{false};
    std::thread adding([&] {
      for (auto next = Clock::now(); !stop; next += pause) {
        std::this_thread::sleep_until(next);
        MemorySource source(FramesView(voice.queries).Rows(0, addition));
        const auto added = stage.client().Add(voice.name, source);
        if (!added.ok()) Die(std::string(added.status().message()));
      }
    });
    SearchFor(remote, voice, seconds, &beside);
    stop = true;
    adding.join();
  }
  Compare(report, Format("p99_beside_adds_of_%d", addition), "1,000 added rows a second", idle, beside);
}

}  // namespace

void BesideTrainRows(Stage& stage, Report& report) {
  const Voice& voice = stage.Generated(30000);
  const Voice large = GeneratedVoice(100000, 2);
  Remote remote(stage.server().address(), voice.name, voice.trained.nprobe);
  std::vector<double> idle;
  std::vector<double> beside;
  std::vector<double> warm_up;
  SearchFor(remote, voice, 0.5, &warm_up);
  SearchFor(remote, voice, 5, &idle);
  std::atomic<bool> trained{false};
  std::thread training([&] {
    TrainVoice(stage.client(), large.name, large.frames);
    trained = true;
  });
  SearchUntil(
      remote, voice, [&trained] { return trained.load(); }, &beside);
  training.join();
  SearchFor(remote, voice, 5, &idle);
  const absl::Status deleted = stage.client().Delete(large.name);
  if (!deleted.ok()) Die(std::string(deleted.message()));
  Compare(report, "p99_beside_train_of_100000", "a Train of 100,000 rows", idle, beside);
}

void BesideAddRows(Stage& stage, Report& report) {
  const Voice voice = GeneratedVoice(30000, 5);  // its own, because it grows
  TrainVoice(stage.client(), voice.name, voice.frames);
  BesideAdds(stage, report, voice, 20);
  BesideAdds(stage, report, voice, 1000);
}

}  // namespace kith::bench
