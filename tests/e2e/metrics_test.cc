// What kithd shows of itself over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/client.h"
#include "tests/e2e/fixture.h"
#include "tests/http/raw_client.h"
#include "tests/support/wait_until.h"

namespace kith::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class MetricsTest : public EndToEnd {
 protected:
  void Start() {
    std::ofstream(Path("kithd.yaml")) << "http:\n  listen: 127.0.0.1:0\n";
    ProcessOptions options;
    options.arguments = {"--config", Path("kithd.yaml")};
    StartServer("127.0.0.1:0", options);
    const std::string log = server_->err();
    const std::string announced = "metrics on http://127.0.0.1:";
    ASSERT_THAT(log, HasSubstr(announced));
    port_ = std::stoi(log.substr(log.find(announced) + announced.size()));
  }

  std::string Get(const std::string& path) const { return http::Get(port_, path); }

  // Of a series; -1 where there is none.
  double Value(const std::string& series) const {
    const std::string text = Get("/metrics");
    const size_t at = text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
  }

  void DamageTheNewestIndex() const {
    std::filesystem::path newest;
    for (const auto& snapshot : std::filesystem::directory_iterator(data_dir() + "/snapshots")) {
      const auto index = snapshot.path() / "index.faiss";
      if (newest.empty() || last_write_time(newest) < last_write_time(index)) newest = index;
    }
    std::filesystem::resize_file(newest, std::filesystem::file_size(newest) - 1);
  }

 private:
  int port_ = 0;
};

TEST_F(MetricsTest, WhatIsDoneIsCountedAndADamagedVoiceIsSeen) {
  Start();
  KithJson({"train", "anna", GenerateFrames(200)});
  KithJson({"train", "anna", GenerateFrames(300, 2)});
  KithJson({"train", "bob", GenerateFrames(100, 3)});
  EXPECT_EQ(Value("kith_trainings_total{outcome=\"ok\"}"), 3);
  EXPECT_EQ(Value("kith_rows_total{code=\"OK\",rpc=\"Train\"}"), 600);
  EXPECT_EQ(Value("kith_experiments{state=\"ready\"}"), 2);
  EXPECT_EQ(Value("kith_resident_experiments"), 2);
  EXPECT_GT(Value("kith_memory_reserved_bytes"), (300 + 100) * 32 * 4);
  EXPECT_EQ(Value("kith_block_seconds_count"), 0);
  const std::string query = std::filesystem::directory_iterator(GenerateFrames(60, 4))->path().string();
  KithJson({"search", "anna", query});
  testing::WaitUntil([&] { return Value("kith_block_seconds_count") == 1; });  // may be counted after its client has it
  for (const char* part : {"queue", "compute", "serialize"}) {
    EXPECT_EQ(Value(std::string("kith_block_") + part + "_seconds_count"), 1) << part;
  }
  EXPECT_EQ(Value("kith_rows_total{code=\"OK\",rpc=\"Search\"}"), 60);
  EXPECT_EQ(Value("kith_batch_rows_sum"), 60);
  EXPECT_EQ(Value("kith_requests_total{code=\"OK\",rpc=\"Search\"}"), 1);

  EXPECT_EQ(Value("kith_experiment_rows_total{experiment=\"anna\"}"), 60);
  EXPECT_EQ(Value("kith_experiment_rows_total{experiment=\"other\"}"), 0);
  EXPECT_EQ(Value("kith_experiment_rows_total{experiment=\"bob\"}"), -1) << "nothing was asked of bob";
  EXPECT_EQ(Value("kith_stored_rows"), 400);
  EXPECT_GT(Value("kith_resident_bytes"), (300 + 100) * 32 * 4);
  EXPECT_LE(Value("kith_resident_bytes"), Value("kith_memory_reserved_bytes"));
  EXPECT_EQ(Value("kith_training_jobs{state=\"running\"}"), 0);
  EXPECT_GT(Value("kith_data_bytes"), 0);
  EXPECT_GT(Value("kith_disk_size_bytes"), Value("kith_disk_free_bytes"));
  EXPECT_GT(Value("process_cpu_seconds_total"), 0);
  EXPECT_GT(Value("process_start_time_seconds"), 1.7e9);

  ASSERT_EQ(StopServer(SIGTERM), 0);
  DamageTheNewestIndex();  // bob's, who has no other
  Start();
  EXPECT_EQ(Kith({"search", "bob", query}).exit_code, 1);
  EXPECT_EQ(Value("kith_experiments{state=\"failed\"}"), 1);
  EXPECT_EQ(Value("kith_loads_total{outcome=\"failed\"}"), 1);
  KithJson({"train", "anna", GenerateFrames(100, 5)});
  ASSERT_EQ(StopServer(SIGTERM), 0);
  DamageTheNewestIndex();  // anna's third; her second is kept
  Start();
  EXPECT_EQ(Value("kith_experiments{state=\"degraded\"}"), 0) << "damage shows at the first use";
  EXPECT_EQ(KithJson({"search", "anna", query})["rows"], 60);
  EXPECT_EQ(Value("kith_experiments{state=\"degraded\"}"), 1);
  EXPECT_EQ(Value("kith_loads_total{outcome=\"degraded\"}"), 1);
}

// Gives its frames, and comes to their end when the gate opens.
class GatedSource : public FrameSource {
 public:
  GatedSource(FramesView frames, std::future<void> gate) : frames_(frames), gate_(std::move(gate)) {}

  absl::StatusOr<FramesView> Next() override {
    if (!std::exchange(given_, true)) return frames_;
    gate_.wait();
    return FramesView();
  }
  absl::Status Rewind() override { return given_ ? absl::CancelledError("once is enough") : absl::OkStatus(); }

 private:
  const FramesView frames_;
  const std::future<void> gate_;
  bool given_ = false;
};

TEST_F(MetricsTest, ReadyUntilTheDrainBeginsAndAliveUntilItEnds) {
  Start();
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200 "));
  // An upload that is under way holds up the drain.
  const std::vector<float> values(size_t{200} * 32, 1.0f);
  std::future<void> training;
  std::promise<void> gate;  // ends before the training, which waits for it
  training = std::async(std::launch::async, [&, opens = gate.get_future()]() mutable {
    GatedSource source(FramesView(values, 32), std::move(opens));
    (void)Client({address_}).Train("anna", source);  // whatever the drain leaves of it
  });
  testing::WaitUntil([&] { return Value("kith_experiments{state=\"training\"}") == 1; });
  server_->Signal(SIGTERM);
  testing::WaitUntil([&] { return Get("/readyz").rfind("HTTP/1.1 503 ", 0) == 0; });
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 "));
  gate.set_value();
  training.get();
  EXPECT_EQ(server_->Wait(), 0);
}

TEST_F(EndToEnd, NothingIsServedOverHttpUnlessAsked) {
  StartServer();
  EXPECT_EQ(server_->err().find("http://"), std::string::npos) << server_->err();
}

}  // namespace
}  // namespace kith::e2e
