#include "bench/aims/remote.h"
#include "bench/aims/rows.h"

namespace kith::bench {

void MemoryRows(Stage& stage, Report& report) {
  const int64_t rows = stage.setting.quick ? 10000 : 30000;
  const Voice voice = GeneratedVoice(rows, 4);
  Server server(stage.setting.kithd);
  {
    Client client({server.address()});
    TrainVoice(client, voice.name, voice.frames);
    TrainVoice(client, "small", FramesView(voice.frames).Rows(0, 1000));
  }
  server.Restart();
  {
    // Its threads and their buffers are there before.
    Remote warm(server.address(), "small", 0);
    for (int i = 0; i < 100; ++i) warm.Stream(voice.Block(i));
  }
  const int64_t before = server.Memory();
  Remote remote(server.address(), voice.name, 0);
  for (int i = 0; i < 100; ++i) remote.Stream(voice.Block(i));
  const int64_t after = server.Memory();
  const auto frames = static_cast<double>(voice.frames.values.size() * sizeof(float));
  constexpr double kMiB = 1 << 20;
  report.AtMost("memory_of_a_loaded_voice", static_cast<double>(after - before) / frames, 1.1,
                Format("the server grew by %.1f MiB when it loaded %.1f MiB of frames (N %lld)",
                       static_cast<double>(after - before) / kMiB, frames / kMiB, static_cast<long long>(rows)));
}

}  // namespace kith::bench
