#include "client/cli/app.h"

#include <unistd.h>

#include <cstdio>
#include <sstream>

#include "common/npy/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/temporary_folder.h"
#include "tests/client/fake_server.h"

namespace kith::cli {
namespace {

using test::FakeServer;
using test::MakeError;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Result {
  int exit_code;
  std::string out;
  std::string err;

  Json json() const { return Json::parse(out); }
  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    const Json report = json();
    for (const auto& [key, value] : report.items()) keys.push_back(key);
    return keys;
  }
};

Result Kith(std::vector<const char*> arguments, int in_fd = -1, int out_fd = -1) {
  std::ostringstream out;
  std::ostringstream err;
  Cancellation cancellation;
  Context context{out, err, false, in_fd, out_fd, cancellation};
  arguments.insert(arguments.begin(), "kith");
  const int exit_code = RunKith(static_cast<int>(arguments.size()), arguments.data(), context);
  return {exit_code, out.str(), err.str()};
}

// A server, a folder, and a file of frames in it.
class AppTest : public ::testing::Test {
 protected:
  Result Call(std::vector<const char*> arguments) {
    arguments.push_back("--server");
    arguments.push_back(target_.c_str());
    return Kith(std::move(arguments));
  }

  FakeServer server_;
  const std::string target_ = server_.target();
  const TemporaryFolder folder_;
  const std::string frames_ = folder_.WriteNpy("frames.npy", std::vector<float>(60, 5), 2);  // 30 x 2
  const std::string out_ = folder_.path() + "/out.npy";
};

constexpr const char* kCommands[] = {"train", "add",  "search", "expand", "stream",  "tune",
                                     "list",  "show", "delete", "health", "generate"};

TEST(UsageTest, EveryCommandHasHelp) {
  for (const char* command : kCommands) {
    const Result result = Kith({command, "--help"});
    EXPECT_EQ(result.exit_code, kDone) << command;
    EXPECT_THAT(result.out, HasSubstr("Usage: kith")) << command;
    EXPECT_EQ(result.err, "") << command;
  }
  const Result all = Kith({"--help"});
  EXPECT_EQ(all.exit_code, kDone);
  for (const char* command : kCommands) EXPECT_THAT(all.out, HasSubstr(command));
  EXPECT_THAT(Kith({"--version"}).out, StartsWith("kith "));
}

TEST(UsageTest, WrongUsageIsExitCode2AndAMessage) {
  const std::vector<std::vector<const char*>> wrong = {
      {},
      {"frobnicate"},
      {"search"},
      {"search", "voice"},
      {"search", "voice", "a.npy", "-k", "many"},
      {"expand", "voice", "a.npy"},
      {"expand", "voice", "a.npy", "-o", "b.npy", "--weighting", "heavy"},
      {"train"},
      {"train", "voice", "--metric", "l3"},
      {"train", "voice", "--recipe", "rvc", "--factory", "Flat"},
      {"train", "voice", "--compress", "many"},
      {"train", "voice", "--compress-batch", "100"},
      {"train", "voice", "--compress-iterations", "100"},
      {"train", "voice", "--alpha", "3"},
      {"train", "voice", "--unit-norm"},
      {"add", "voice"},
      {"health", "extra"},
      {"health", "--timeout", "-1"},
      {"generate", "folder", "--rows", "0"},
      {"stream", "voice", "a.npy", "--block-ms", "19"},
      {"stream", "voice", "a.npy", "--clients", "0"},
      {"stream", "voice", "a.npy", "--dimension", "4"},
      {"stream", "voice", "-"},
      {"stream", "voice", "-", "--dimension", "4", "--clients", "2"},
      {"stream", "voice", "-", "--dimension", "4", "-o", "b.npy"},
      {"stream", "voice", "-", "--dimension", "4", "--seconds", "1"},
  };
  for (const auto& arguments : wrong) {
    const Result result = Kith(arguments);
    EXPECT_EQ(result.exit_code, kWrongUsage) << ::testing::PrintToString(arguments);
    EXPECT_THAT(result.err, StartsWith("kith: ")) << ::testing::PrintToString(arguments);
    EXPECT_EQ(result.out, "") << ::testing::PrintToString(arguments);
  }
}

TEST_F(AppTest, AServerThatIsNotThereIsExitCode3) {
  const std::string nowhere = test::UnreachableTarget();
  const std::vector<std::vector<const char*>> calls = {{"train", "voice", frames_.c_str()},
                                                       {"train", "voice"},
                                                       {"add", "voice", frames_.c_str()},
                                                       {"search", "voice", frames_.c_str()},
                                                       {"expand", "voice", frames_.c_str(), "-o", out_.c_str()},
                                                       {"list"},
                                                       {"show", "a"},
                                                       {"tune", "a"},
                                                       {"delete", "a"},
                                                       {"health"}};
  for (std::vector<const char*> call : calls) {
    call.insert(call.end(), {"--json", "--server", nowhere.c_str()});
    const Result result = Kith(call);
    EXPECT_EQ(result.exit_code, kNotReached) << call[0];
    EXPECT_THAT(result.err, HasSubstr(nowhere)) << call[0];
    EXPECT_EQ(result.out, "") << call[0];
  }
  EXPECT_FALSE(std::filesystem::exists(out_));
}

TEST_F(AppTest, SharedOptionsStandBeforeOrBehindTheCommand) {
  EXPECT_EQ(Kith({"--server", target_.c_str(), "--json", "health"}).json(), Json({{"status", "SERVING"}}));
  EXPECT_EQ(Kith({"health", "--json", "--server", target_.c_str()}).json(), Json({{"status", "SERVING"}}));
}

TEST_F(AppTest, TheEnvironmentNamesTheServer) {
  setenv("KITH_SERVER", target_.c_str(), 1);
  const Result result = Kith({"health"});
  unsetenv("KITH_SERVER");
  EXPECT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.out, "SERVING\n");
}

TEST_F(AppTest, HealthFailsWhenTheServerDrains) {
  server_.server().GetHealthCheckService()->SetServingStatus(false);
  const Result result = Call({"health", "--json"});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_EQ(result.json(), Json({{"status", "NOT_SERVING"}}));
}

TEST_F(AppTest, TrainReports) {
  const Result result = Call({"train", "voice", folder_.path().c_str(), "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_THAT(result.keys(), ElementsAre("experiment", "rows", "dimension", "generation", "factory", "nlist", "nprobe",
                                         "recall_at_8", "seconds"));
  EXPECT_EQ(result.json()["rows"], 30);
  EXPECT_THAT(Call({"train", "voice", frames_.c_str()}).out, HasSubstr("trained voice: 30 frames"));
}

TEST_F(AppTest, DetachedTrainKnowsWhatItSentOnly) {
  const Result result = Call({"train", "voice", frames_.c_str(), "--detach", "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.json()["rows"], 30);
  EXPECT_EQ(result.json()["dimension"], 2);
  EXPECT_EQ(result.json()["generation"], nullptr);
  EXPECT_EQ(result.json()["factory"], nullptr);
}

TEST_F(AppTest, TrainSaysHowToCompressAndExpand) {
  ASSERT_EQ(Call({"train", "voice", frames_.c_str(), "--compress-batch", "64", "--compress", "20", "--alpha", "0",
                  "--expand-neighbors", "5", "--unit-norm"})
                .exit_code,
            kDone);
  v1::Recipe sent = server_.retrieval.recipe();
  EXPECT_EQ(sent.compression().centres(), 20);
  EXPECT_EQ(sent.compression().batch_size(), 64);
  EXPECT_FALSE(sent.compression().has_iterations());
  EXPECT_EQ(sent.expansion().neighbors(), 5);
  EXPECT_TRUE(sent.expansion().has_alpha());
  EXPECT_EQ(sent.expansion().alpha(), 0);
  EXPECT_TRUE(sent.expansion().unit_norm());
  ASSERT_EQ(Call({"train", "voice", frames_.c_str(), "--recipe", "rvc"}).exit_code, kDone);
  sent = server_.retrieval.recipe();
  EXPECT_FALSE(sent.has_compression() || sent.has_expansion());
}

TEST_F(AppTest, TrainWithoutAPathUsesTheStoredFrames) {
  ASSERT_EQ(Call({"train", "voice"}).exit_code, kDone);
  EXPECT_TRUE(server_.retrieval.request_rows().empty());
}

TEST_F(AppTest, AddReports) {
  const Result result = Call({"add", "voice", frames_.c_str(), "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_THAT(result.keys(), ElementsAre("first_id", "rows", "total_rows", "generation"));
  EXPECT_EQ(result.json()["first_id"], 100);
}

TEST_F(AppTest, SearchPrintsIdsAndDistancesOfEveryFrame) {
  const Result result = Call({"search", "voice", frames_.c_str(), "-k", "2", "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_THAT(result.keys(), ElementsAre("rows", "k", "seconds", "ids", "distances"));
  EXPECT_EQ(result.json()["ids"].size(), 30u);
  EXPECT_EQ(result.json()["ids"][29], Json({5, 6}));
  EXPECT_EQ(result.json()["distances"][0], Json({0.0, 1.0}));
  EXPECT_THAT(Call({"search", "voice", frames_.c_str()}).out, HasSubstr("and 20 more"));
}

TEST_F(AppTest, SearchWritesIdsToAFileInstead) {
  const Result result = Call({"search", "voice", frames_.c_str(), "-k", "2", "--distances", out_.c_str(), "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_THAT(result.keys(), ElementsAre("rows", "k", "seconds"));
  const auto distances = npy::ReadMatrix(out_);
  ASSERT_TRUE(distances.ok()) << distances.status();
  EXPECT_EQ(distances->rows, 30);
  EXPECT_EQ(distances->columns, 2);
}

TEST_F(AppTest, ExpandWritesTheBlendedFrames) {
  const Result result = Call({"expand", "voice", frames_.c_str(), "-o", out_.c_str(), "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_THAT(result.keys(), ElementsAre("rows", "passthrough_rows", "seconds"));
  EXPECT_EQ(npy::ReadMatrix(out_)->values, std::vector<float>(60, 6));
}

TEST_F(AppTest, AFailureIsExitCode1WithTheServersMessageAndNoFile) {
  server_.retrieval.before = [] {
    return MakeError(grpc::StatusCode::NOT_FOUND, "EXPERIMENT_NOT_FOUND", "there is no experiment voice");
  };
  const Result result = Call({"expand", "voice", frames_.c_str(), "-o", out_.c_str(), "--json"});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_EQ(result.err, "kith: there is no experiment voice\n");
  EXPECT_EQ(result.out, "");
  EXPECT_FALSE(std::filesystem::exists(out_));
}

TEST_F(AppTest, ShowListAndDelete) {
  const Result show = Call({"show", "a", "--json"});
  ASSERT_EQ(show.exit_code, kDone) << show.err;
  EXPECT_THAT(show.keys(), ElementsAre("name", "state", "rows", "dimension", "metric", "recipe", "compression",
                                       "expansion", "factory", "nlist", "nprobe", "k_factor", "generation",
                                       "recall_at_8", "bytes", "resident", "created", "updated"));
  EXPECT_EQ(show.json()["state"], "ready");
  EXPECT_EQ(show.json()["metric"], "cosine");
  EXPECT_EQ(show.json()["created"], "2023-11-14T22:13:20Z");
  EXPECT_THAT(Call({"show", "a"}).out, HasSubstr("IVF185,Flat, nlist 185, nprobe 12, recall@8 0.967"));

  const Result list = Call({"list", "--json"});
  ASSERT_EQ(list.exit_code, kDone) << list.err;
  EXPECT_EQ(list.json()["experiments"].size(), 3u);
  EXPECT_EQ(list.json()["experiments"][0], show.json());

  EXPECT_EQ(show.json()["compression"], Json({{"centres", 10000}, {"batch_size", nullptr}, {"iterations", 50}}));
  EXPECT_EQ(show.json()["expansion"], nullptr);
  EXPECT_THAT(Call({"show", "a"}).out, HasSubstr("compressed: to 10000 centres"));

  EXPECT_EQ(Call({"delete", "a"}).exit_code, kDone);
  EXPECT_EQ(Call({"delete", "x"}).exit_code, kFailed);
}

TEST_F(AppTest, BadInputFilesAreNamed) {
  std::filesystem::create_directory(folder_.path() + "/empty");
  const std::string empty = folder_.path() + "/empty";
  const Result result = Call({"train", "voice", empty.c_str()});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_THAT(result.err, HasSubstr(empty));
  EXPECT_EQ(Call({"search", "voice", "/nowhere.npy"}).exit_code, kFailed);
}

TEST_F(AppTest, GenerateFillsANewFolderAndLeavesAFullOneAlone) {
  const std::string made = folder_.path() + "/made/3_feature8";
  const Result result = Kith({"generate", made.c_str(), "--rows", "400", "--dimension", "8", "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.json()["files"], 3);
  EXPECT_EQ(npy::ReadMatrix(made + "/0_0.npy")->rows, 185);
  EXPECT_EQ(npy::ReadMatrix(made + "/0_2.npy")->rows, 30);
  const Result again = Kith({"generate", made.c_str()});
  EXPECT_EQ(again.exit_code, kFailed);
  EXPECT_THAT(again.err, HasSubstr("not empty"));
}

TEST_F(AppTest, StreamPlaysEveryFrameOnceAndWritesWhatItPlayed) {
  const Result result = Call({"stream", "voice", frames_.c_str(), "--block-ms", "100", "--budget-ms", "20000",
                              "--clients", "2", "-o", out_.c_str(), "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_THAT(result.keys(), ElementsAre("clients", "blocks", "rows", "late", "bypassed", "errors", "reconnects",
                                         "p50_ms", "p95_ms", "p99_ms", "max_ms"));
  const Json report = result.json();
  EXPECT_EQ(report["clients"], 2);
  EXPECT_EQ(report["blocks"], 12);
  EXPECT_EQ(report["rows"], 60);
  EXPECT_EQ(report["bypassed"], 0);
  EXPECT_EQ(report["errors"], 0);
  EXPECT_TRUE(report["p50_ms"].is_number());
  EXPECT_EQ(npy::ReadMatrix(out_)->values, std::vector<float>(60, 6));
}

TEST_F(AppTest, StreamWithoutAServerPlaysAllUnchangedAndIsExitCode3) {
  const std::string nowhere = test::UnreachableTarget();
  const Result result = Kith({"stream", "voice", frames_.c_str(), "--seconds", "0.2", "-o", out_.c_str(), "--json",
                              "--server", nowhere.c_str()});
  EXPECT_EQ(result.exit_code, kNotReached);
  EXPECT_EQ(result.json()["bypassed"], 1);
  EXPECT_EQ(result.json()["p50_ms"], nullptr);
  EXPECT_EQ(npy::ReadMatrix(out_)->values, std::vector<float>(20, 5));
}

TEST_F(AppTest, StreamTellsAMistakeAtOnce) {
  server_.retrieval.before = [] {
    return MakeError(grpc::StatusCode::NOT_FOUND, "EXPERIMENT_NOT_FOUND", "there is no experiment voice");
  };
  const Result result = Call({"stream", "voice", frames_.c_str(), "--json"});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_EQ(result.out, "");
}

TEST_F(AppTest, StreamCountsWhatTheServerCallsLate) {
  server_.retrieval.block_status = [](int64_t sequence) {
    return sequence == 0 ? MakeError(grpc::StatusCode::DEADLINE_EXCEEDED, "LATE", "late") : grpc::Status::OK;
  };
  const Result result = Call(
      {"stream", "voice", frames_.c_str(), "--block-ms", "300", "--budget-ms", "20000", "-o", out_.c_str(), "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.json()["late"], 1);
  EXPECT_EQ(result.json()["bypassed"], 1);
  const std::vector<float> played = npy::ReadMatrix(out_)->values;
  EXPECT_EQ(played.front(), 5);
  EXPECT_EQ(played.back(), 6);
}

TEST_F(AppTest, StreamFromAPipeWritesRowsOnlyAndReportsOnStderr) {
  std::FILE* in = std::tmpfile();
  std::FILE* out = std::tmpfile();
  const std::vector<float> values(2 * 40, 1);
  ASSERT_EQ(std::fwrite(values.data(), sizeof(float), values.size(), in), values.size());
  std::rewind(in);
  const Result result =
      Kith({"stream", "voice", "-", "--dimension", "2", "--budget-ms", "20000", "--json", "--server", target_.c_str()},
           fileno(in), fileno(out));
  EXPECT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(Json::parse(result.err)["rows"], 40);
  std::rewind(out);
  std::vector<float> played(100);
  played.resize(std::fread(played.data(), sizeof(float), played.size(), out));
  EXPECT_EQ(played, std::vector<float>(2 * 40, 2));
  std::fclose(in);
  std::fclose(out);
}

}  // namespace
}  // namespace kith::cli
