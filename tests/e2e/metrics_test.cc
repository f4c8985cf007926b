// What kithd shows of itself over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
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

nlohmann::json Body(const std::string& answer) {
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  return nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
}

TEST_F(MetricsTest, TheStatusPageIsToldOfVoicesTheirMapsAndWhatTheyAreAskedFor) {
  Start();
  EXPECT_THAT(Get("/"), HasSubstr("<title>Kith</title>"));
  EXPECT_TRUE(Body(Get("/api/status"))["voices"].empty());
  KithJson({"train", "bob", GenerateFrames(100, 3)});
  const std::string name = "<b>anna & \"co\"";
  KithJson({"train", name, GenerateFrames(300)});
  nlohmann::json status = Body(Get("/api/status"));
  EXPECT_EQ(status["ready"], true);
  EXPECT_EQ(status["experiments"]["all"], 2);
  EXPECT_EQ(status["experiments"]["rows"], 400);
  ASSERT_EQ(status["voices"].size(), 2);
  const nlohmann::json& voice = status["voices"][0];
  EXPECT_EQ(voice["name"], name);
  EXPECT_EQ(voice["state"], "ready");
  EXPECT_EQ(voice["rows"], 300);
  EXPECT_EQ(voice["dimension"], 32);
  EXPECT_EQ(voice["generation"], 1);
  EXPECT_EQ(voice["resident"], true);
  EXPECT_GT(voice["recall"], 0.5);
  EXPECT_EQ(voice["searched"], 0);

  const std::string query = "?voice=%3Cb%3Eanna+%26+%22co%22";
  nlohmann::json map;
  testing::WaitUntil([&] { return (map = Body(Get("/api/map" + query)))["state"] == "ready"; });
  EXPECT_EQ(map["sampled"], 300);
  const std::string tag = map["tag"];
  EXPECT_EQ(Body(Get("/api/map" + query + "&known=" + tag)).count("points"), 0) << "it has them";
  EXPECT_EQ(map["points"].get<std::string>().size(), 300 * 4 * 4 / 3) << "two numbers of 16 bits each in base64";
  EXPECT_TRUE(Body(Get("/api/live" + query))["blocks"].empty());
  KithJson({"search", name, std::filesystem::directory_iterator(GenerateFrames(60, 4))->path().string()});
  const nlohmann::json blocks = Body(Get("/api/live" + query + "&after=0"))["blocks"];
  ASSERT_EQ(blocks.size(), 1);
  EXPECT_EQ(blocks[0]["number"], 1);
  EXPECT_TRUE(Body(Get("/api/live" + query + "&after=1"))["blocks"].empty());
  testing::WaitUntil([&] { return Body(Get("/api/status"))["voices"][0]["searched"] == 60; });

  KithJson({"unload", "bob"});
  EXPECT_EQ(Body(Get("/api/map?voice=bob"))["state"], "not_in_memory");
  EXPECT_THAT(Get("/api/map?voice=nobody"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Get("/api/live?voice=nobody"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Get("/api/live" + query + "&after=x"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Get("/api/nothing"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(EndToEnd, NothingIsServedOverHttpUnlessAsked) {
  StartServer();
  EXPECT_EQ(server_->err().find("http://"), std::string::npos) << server_->err();
}

}  // namespace
}  // namespace kith::e2e
