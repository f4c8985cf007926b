#include <chrono>
#include <memory>

#include "bench/aims/pinned.h"
#include "bench/aims/remote.h"
#include "bench/aims/rows.h"
#include "bench/aims/spread.h"
#include "client/cpp/block_pump.h"

namespace kith::bench {
namespace {

constexpr int kIdleStreams = 10000;
constexpr int kConnections = 100;
constexpr auto kPatience = std::chrono::seconds(60);

// A block of one row each, so that they are open.
std::unique_ptr<BlockPump> OpenStreams(const Server& server, const Voice& voice) {
  auto pump = std::make_unique<BlockPump>(ClientOptions{server.address()}, kConnections);
  if (absl::Status connected = pump->Connect(nullptr); !connected.ok()) Die(std::string(connected.message()));
  LaneOptions lane;
  lane.experiment = voice.name;
  for (int i = 0; i < kIdleStreams; ++i) pump->Send(pump->AddLane(lane), 1, FramesView(voice.queries).Rows(0, 1));
  for (int i = 0; i < kIdleStreams; ++i) {
    const auto answer = pump->Next(std::chrono::steady_clock::now() + kPatience);
    if (!answer) Die("a stream does not answer");
    if (!answer->status.ok()) Die(std::string(answer->status.message()));
  }
  return pump;
}

}  // namespace

void IdleStreamRows(Stage& stage, Report& report) {
  AllowOpenFiles(4096);
  Server server(stage.setting.kithd, "limits:\n  streams: 20000\n");
  const Voice voice = GeneratedVoice(30000, 6);
  {
    Client client({server.address()});
    TrainVoice(client, voice.name, voice.frames);
  }
  server.Restart();
  Remote remote(server.address(), voice.name, 0);
  Contender alone{"alone", [&](int64_t block) { remote.Stream(voice.Block(block)); }};
  Contender beside{"beside", [&](int64_t block) { remote.Stream(voice.Block(block)); }};
  const int rounds = stage.setting.quick ? 5 : 20;
  TakeTurns({&alone}, rounds, 20);
  const int64_t before = server.Memory();
  auto streams = OpenStreams(server, voice);
  const int64_t with = server.Memory();
  TakeTurns({&beside}, rounds, 20);
  streams.reset();
  TakeTurns({&alone}, rounds, 20);

  constexpr double kMiB = 1 << 20;
  report.AtMost("10000_idle_streams_memory_gib", static_cast<double>(with) / (1024 * kMiB), 1,
                Format("the server has %.0f MiB with them, %.0f MiB before, a voice of 30,000 rows included",
                       static_cast<double>(with) / kMiB, static_cast<double>(before) / kMiB));
  report.AtMost("10000_idle_streams_p50_vs_none", beside.p50() / alone.p50(), 1.1,
                "p50 of a block beside them " + Text(SpreadOf(beside.microseconds), " us") +
                    "; before and after them " + Text(SpreadOf(alone.microseconds), " us"));
}

}  // namespace kith::bench
