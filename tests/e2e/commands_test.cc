// The commands of kith against a real server, from feature folder to blended frames.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "common/npy/npy.h"
#include "tests/e2e/fixture.h"

namespace kith::e2e {
namespace {

using ::testing::HasSubstr;

class CommandsTest : public EndToEnd {
 protected:
  CommandsTest() { StartServer(); }

  // One .npy file of `rows` of the generated frames.
  std::string QueryFile(int rows = 30) const {
    const std::string path = Path("query.npy");
    const auto frames = npy::ReadMatrix(std::filesystem::directory_iterator(GenerateFrames(200, 7))->path().string());
    EXPECT_TRUE(npy::WriteMatrix(path, absl::MakeConstSpan(frames->values).subspan(0, rows * frames->columns), rows,
                                 frames->columns)
                    .ok());
    return path;
  }
};

TEST_F(CommandsTest, TrainAddSearchExpandShowListDelete) {
  const auto trained = KithJson({"train", "anna", GenerateFrames(1000)});
  EXPECT_EQ(trained["experiment"], "anna");
  EXPECT_EQ(trained["rows"], 1000);
  EXPECT_EQ(trained["dimension"], 32);
  EXPECT_EQ(trained["generation"], 1);
  EXPECT_EQ(trained["factory"], "IVF25,Flat");
  EXPECT_EQ(trained["nlist"], 25);
  EXPECT_GE(trained["nprobe"], 1);
  EXPECT_GE(trained["recall_at_8"], 0.96);
  EXPECT_GT(trained["seconds"], 0);

  const auto added = KithJson({"add", "anna", GenerateFrames(100, 2)});
  EXPECT_EQ(added["first_id"], 1000);
  EXPECT_EQ(added["rows"], 100);
  EXPECT_EQ(added["total_rows"], 1100);
  EXPECT_EQ(added["generation"], 1);

  const std::string query = QueryFile();
  const auto found = KithJson({"search", "anna", query, "-k", "5"});
  EXPECT_EQ(found["rows"], 30);
  EXPECT_EQ(found["k"], 5);
  EXPECT_EQ(found["ids"].size(), 30u);
  EXPECT_EQ(found["distances"].size(), 30u);
  const auto filed = KithJson({"search", "anna", query, "--ids", Path("ids.npy"), "--distances", Path("d.npy")});
  EXPECT_FALSE(filed.contains("ids"));
  EXPECT_TRUE(std::filesystem::exists(Path("ids.npy")));

  const auto expanded = KithJson({"expand", "anna", query, "-o", Path("out.npy"), "--index-rate", "0.5"});
  EXPECT_EQ(expanded["rows"], 30);
  EXPECT_EQ(expanded["passthrough_rows"], 0);
  EXPECT_EQ(npy::ReadMatrix(Path("out.npy"))->rows, 30);

  const auto shown = KithJson({"show", "anna"});
  EXPECT_EQ(shown["name"], "anna");
  EXPECT_EQ(shown["rows"], 1100);
  EXPECT_EQ(shown["recipe"], "auto");
  EXPECT_EQ(shown["metric"], "l2");
  EXPECT_EQ(shown["nprobe"], trained["nprobe"]);
  EXPECT_EQ(shown["recall_at_8"], trained["recall_at_8"]);
  EXPECT_GT(shown["bytes"], 1100 * 32 * 4);

  EXPECT_EQ(KithJson({"list"})["experiments"].size(), 1u);
  EXPECT_EQ(KithJson({"health"})["status"], "SERVING");
  KithJson({"delete", "anna"});
  EXPECT_EQ(KithJson({"list"})["experiments"].size(), 0u);
  EXPECT_EQ(Kith({"show", "anna"}).exit_code, 1);
}

TEST_F(CommandsTest, IndexRateZeroGivesTheFramesBackToTheBit) {
  KithJson({"train", "anna", GenerateFrames(300)});
  const std::string query = QueryFile();
  KithJson({"expand", "anna", query, "-o", Path("out.npy"), "--index-rate", "0"});
  EXPECT_EQ(npy::ReadMatrix(Path("out.npy"))->values, npy::ReadMatrix(query)->values);
}

// The frame at its neighbours' weighted mean norm, and the sum of cosine^3 * neighbour; at norm 1: alpha query
// expansion, where the frame's own norm must not count.
std::vector<double> ExpandedWithItself(absl::Span<const float> frame, const npy::Matrix& stored,
                                       const nlohmann::json& ids) {
  const auto dot = [&](const auto& a, const auto& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); };
  std::vector<double> sum(frame.size());
  double weights = 0;
  double norms = 0;
  for (const int64_t id : ids) {
    const auto row = absl::MakeConstSpan(stored.values).subspan(id * stored.columns, stored.columns);
    const double weight = std::pow(std::max(0.0, dot(frame, row) / std::sqrt(dot(frame, frame) * dot(row, row))), 3);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += weight * row[i];
    weights += weight;
    norms += weight * std::sqrt(dot(row, row));
  }
  const double scale = norms / weights / std::sqrt(dot(frame, frame));
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += scale * frame[i];
  const double norm = std::sqrt(dot(sum, sum));
  for (double& value : sum) value /= norm;
  return sum;
}

TEST_F(CommandsTest, AlphaExpansionTakesTheFrameInAndGivesNorm1WhereAsked) {
  KithJson({"train", "anna", GenerateFrames(300), "--factory", "Flat"});
  KithJson({"frames", "anna", "-o", Path("stored.npy")});
  const auto ids = KithJson({"search", "anna", QueryFile(), "-k", "4"})["ids"];
  KithJson({"expand", "anna", QueryFile(), "-o", Path("out.npy"), "-k", "4", "--weighting", "alpha", "--include-query",
            "--unit-norm"});
  const auto stored = npy::ReadMatrix(Path("stored.npy"));
  const auto queries = npy::ReadMatrix(QueryFile());
  const auto out = npy::ReadMatrix(Path("out.npy"));
  ASSERT_TRUE(stored.ok() && queries.ok() && out.ok());
  ASSERT_EQ(out->rows, 30);
  for (int64_t row = 0; row < out->rows; ++row) {
    const auto expected =
        ExpandedWithItself(absl::MakeConstSpan(queries->values).subspan(row * 32, 32), *stored, ids[row]);
    for (int64_t i = 0; i < 32; ++i) EXPECT_NEAR(out->values[row * 32 + i], expected[i], 1e-5) << row << ", " << i;
  }
}

TEST_F(CommandsTest, ABadOutputPathIsToldAtOnce) {
  const std::string query = QueryFile();
  StopServer(SIGTERM);  // asked before the server is
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"expand", "anna", query, "-o", Path("missing/out.npy")},
                                             {"stream", "anna", query, "-o", Path("missing/out.npy")},
                                             {"tune", "anna", "--plot", Path("missing/plot.svg")}}) {
    const Finished finished = Kith(arguments);
    EXPECT_EQ(finished.exit_code, 1) << arguments[0];
    EXPECT_THAT(finished.err, HasSubstr("missing/")) << arguments[0];
    EXPECT_THAT(finished.err, HasSubstr("cannot be created")) << arguments[0];
  }
}

TEST_F(CommandsTest, EveryRecipeAndMetricTrains) {
  const std::string frames = GenerateFrames(400);
  for (const char* recipe : {"auto", "rvc", "rvc-2023", "fastscan"}) {
    for (const char* metric : {"l2", "inner-product", "cosine"}) {
      const auto trained = KithJson({"train", "anna", frames, "--recipe", recipe, "--metric", metric});
      EXPECT_EQ(trained["rows"], 400) << recipe << " " << metric;
      EXPECT_EQ(KithJson({"show", "anna"})["metric"], metric);
      EXPECT_EQ(KithJson({"search", "anna", QueryFile()})["rows"], 30) << recipe << " " << metric;
    }
  }
}

TEST_F(CommandsTest, DetachedTrainingGoesOnAlone) {
  KithJson({"train", "anna", GenerateFrames(1000), "--detach"});
  nlohmann::json shown;
  do {
    shown = KithJson({"show", "anna"});
  } while (shown["generation"].is_null() || shown["generation"] == 0);
  EXPECT_EQ(shown["rows"], 1000);
}

TEST_F(CommandsTest, TrainingAgainWithoutFramesTakesTheStoredOnes) {
  KithJson({"train", "anna", GenerateFrames(200), "--recipe", "rvc"});
  KithJson({"add", "anna", GenerateFrames(100, 2)});
  const auto again = KithJson({"train", "anna"});
  EXPECT_EQ(again["rows"], 300);
  EXPECT_EQ(again["generation"], 2);
  EXPECT_EQ(KithJson({"show", "anna"})["recipe"], "rvc");
}

TEST_F(CommandsTest, AServerWithSmallLimitsGetsSmallMessages) {
  StopServer(SIGTERM);
  std::ofstream(Path("small.yaml")) << "limits:\n  rows: 100\n  message_bytes: 65536\n";
  ProcessOptions options;
  options.arguments = {"--config", Path("small.yaml")};
  StartServer("127.0.0.1:0", options);
  EXPECT_EQ(KithJson({"train", "anna", GenerateFrames(1000)})["rows"], 1000);
  EXPECT_EQ(KithJson({"add", "anna", GenerateFrames(600, 2)})["rows"], 600);
  EXPECT_EQ(KithJson({"search", "anna", GenerateFrames(1000), "--ids", Path("ids.npy")})["rows"], 1000);
  EXPECT_EQ(KithJson({"expand", "anna", GenerateFrames(1000), "-o", Path("out.npy")})["rows"], 1000);
}

TEST_F(CommandsTest, TuneMeasuresPlotsAndApplies) {
  KithJson({"train", "anna", GenerateFrames(700)});
  const auto tuned = KithJson(
      {"tune", "anna", "--queries", QueryFile(), "--plot", Path("plot.svg"), "--apply", "--target-recall", "0.9"});
  EXPECT_EQ(tuned["experiment"], "anna");
  EXPECT_EQ(tuned["rows"], 700);
  EXPECT_EQ(tuned["applied"], true);
  nlohmann::json chosen;
  for (const auto& candidate : tuned["candidates"]) {
    if (candidate["chosen"] == true) chosen = candidate;
  }
  const auto shown = KithJson({"show", "anna"});
  EXPECT_EQ(shown["generation"], 2);
  EXPECT_EQ(shown["factory"], chosen["factory"]);
  if (!chosen["nprobe"].is_null()) {
    EXPECT_EQ(shown["nprobe"], chosen["nprobe"]);
  }
  EXPECT_THAT(ReadFile(Path("plot.svg")), HasSubstr("</svg>"));
}

TEST_F(CommandsTest, BadInputIsToldAndChangesNothing) {
  KithJson({"train", "anna", GenerateFrames(300)});
  std::filesystem::create_directory(Path("empty"));
  std::ofstream(Path("broken.npy")) << "\x93NUMPY not really";
  std::ofstream(Path("nan.npy"), std::ios::binary);
  std::vector<float> nan(64, 0.5f);
  nan[40] = NAN;
  ASSERT_TRUE(npy::WriteMatrix(Path("nan.npy"), absl::MakeConstSpan(nan), 2, 32).ok());
  ASSERT_TRUE(npy::WriteMatrix(Path("wide.npy"), absl::MakeConstSpan(std::vector<float>(80, 1.0f)), 2, 40).ok());
  ASSERT_TRUE(npy::WriteMatrix(Path("none.npy"), absl::MakeConstSpan(std::vector<float>()), 0, 32).ok());
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"train", "x", Path("empty")}, "empty"},
      {{"train", "x", Path("broken.npy")}, "broken.npy"},
      {{"train", "x", Path("missing")}, "missing"},
      {{"train", "x", Path("nan.npy")}, "row 1"},
      {{"train", "x", Path("none.npy")}, "no"},
      {{"train", "a/b", Path("wide.npy")}, "'/'"},
      {{"train", "x", Path("wide.npy"), "--factory", "IVF0,Flat"}, "IVF0"},
      {{"train", "x", Path("wide.npy"), "--factory", "IVF16,Flat"}, "16"},
      {{"train", "x", Path("wide.npy"), "--factory", "Nonsense"}, "Nonsense"},
      {{"train", "x"}, "none are stored"},
      {{"add", "anna", Path("wide.npy")}, "40"},
      {{"add", "anna", Path("nan.npy")}, "row 1"},
      {{"add", "nobody", Path("wide.npy")}, "nobody"},
      {{"search", "anna", Path("wide.npy")}, "40"},
      {{"search", "anna", Path("nan.npy")}, "row 1"},
      {{"search", "nobody", Path("wide.npy")}, "nobody"},
      {{"delete", "nobody"}, "nobody"},
      {{"tune", "nobody"}, "nobody"},
      {{"tune", "anna", "--queries", Path("wide.npy")}, "40"},
  };
  for (const auto& [arguments, expected] : cases) {
    const Finished finished = Kith(arguments);
    EXPECT_EQ(finished.exit_code, 1) << arguments[0] << " " << arguments[1];
    EXPECT_THAT(finished.err, HasSubstr(expected)) << arguments[0] << " " << arguments[1];
  }
  EXPECT_EQ(KithJson({"list"})["experiments"].size(), 1u);
  EXPECT_EQ(KithJson({"show", "anna"})["rows"], 300);
}

TEST_F(CommandsTest, WrongUsageIsTwo) {
  EXPECT_EQ(Kith({}).exit_code, 2);
  EXPECT_EQ(Kith({"dance"}).exit_code, 2);
  EXPECT_EQ(Kith({"search", "anna"}).exit_code, 2);
  EXPECT_EQ(Kith({"train", "anna", "x", "--recipe", "rvc", "--factory", "Flat"}).exit_code, 2);
}

TEST_F(CommandsTest, AServerThatIsNotThereIsThree) {
  const std::string query = QueryFile();
  StopServer(SIGTERM);
  const Finished finished = Kith({"search", "anna", query});
  EXPECT_EQ(finished.exit_code, 3);
  EXPECT_THAT(finished.err, HasSubstr(address_));
  EXPECT_EQ(Kith({"health"}).exit_code, 3);
}

}  // namespace
}  // namespace kith::e2e
