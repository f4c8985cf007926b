#include "client/cli/app.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
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
using ::testing::AllOf;
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

constexpr const char* kCommands[] = {"train", "add",  "search", "expand", "stream", "tune",
                                     "link",  "list", "show",   "delete", "health", "generate"};

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
      {"health", "--timeout", "soon"},
      {"train", "voice", "--metric", "7"},
      {"train", "voice", "--metric", "1"},
      {"expand", "voice", "a.npy", "-o", "b.npy", "--weighting", "1"},
      {"stream", "voice", "a.npy", "--seconds", "1e300"},
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

TEST(UsageTest, MessagesNameTheMistakeInOneLine) {
  EXPECT_THAT(Kith({"frob"}).err, StartsWith("kith: unknown command frob\n"));
  EXPECT_THAT(Kith({"frob", "--json", "x"}).err, StartsWith("kith: unknown command frob\n"));
  EXPECT_THAT(Kith({"--frob"}).err, StartsWith("kith: unknown option --frob\n"));
  const Result timeout = Kith({"health", "--timeout", "-1"});
  EXPECT_THAT(timeout.err, HasSubstr("-1 is no time in seconds"));
  EXPECT_LT(timeout.err.size(), 160u);
  EXPECT_THAT(Kith({"train", "voice", "--metric", "7"}).err, HasSubstr("cosine, inner-product, l2"));
}

TEST_F(AppTest, NothingIsDoneIfItCannotBePrinted) {
  for (const std::vector<const char*>& call :
       std::vector<std::vector<const char*>>{{"list", "--json"}, {"show", "a"}, {"--help"}}) {
    std::ofstream full("/dev/full");
    std::ostringstream err;
    Cancellation cancellation;
    Context context{full, err, false, -1, -1, cancellation};
    std::vector<const char*> arguments = {"kith", "--server", target_.c_str()};
    arguments.insert(arguments.end(), call.begin(), call.end());
    EXPECT_EQ(RunKith(static_cast<int>(arguments.size()), arguments.data(), context), kFailed) << call[0];
    EXPECT_THAT(err.str(), HasSubstr("stdout")) << call[0];
  }
}

TEST_F(AppTest, OptionsReachTheServer) {
  ASSERT_EQ(Call({"train", "voice", frames_.c_str(), "--metric", "Cosine", "--nprobe", "3", "--k-factor", "2.5",
                  "--seed", "0", "--factory", "IVF4,Flat"})
                .exit_code,
            kDone);
  const v1::Recipe recipe = server_.retrieval.recipe();
  EXPECT_EQ(recipe.metric(), v1::METRIC_COSINE);
  EXPECT_EQ(recipe.nprobe(), 3);
  EXPECT_EQ(recipe.k_factor(), 2.5f);
  EXPECT_TRUE(recipe.has_seed());
  EXPECT_EQ(recipe.seed(), 0);
  EXPECT_EQ(recipe.factory(), "IVF4,Flat");

  ASSERT_EQ(
      Call({"search", "voice", frames_.c_str(), "-k", "3", "--nprobe", "5", "--k-factor", "1.5", "--timeout", "600"})
          .exit_code,
      kDone);
  EXPECT_EQ(server_.retrieval.search_params().k(), 3);
  EXPECT_EQ(server_.retrieval.search_params().nprobe(), 5);
  EXPECT_EQ(server_.retrieval.search_params().k_factor(), 1.5f);

  ASSERT_EQ(Call({"expand", "voice", frames_.c_str(), "-o", out_.c_str(), "--weighting", "alpha", "--alpha", "2",
                  "--index-rate", "0.5", "--nprobe", "5"})
                .exit_code,
            kDone);
  const v1::ExpandParams expand = server_.retrieval.expand_params();
  EXPECT_EQ(expand.weighting(), v1::WEIGHTING_ALPHA);
  EXPECT_EQ(expand.alpha(), 2);
  EXPECT_EQ(expand.index_rate(), 0.5f);
  EXPECT_EQ(expand.search().nprobe(), 5);

  ASSERT_EQ(
      Call({"stream", "voice", frames_.c_str(), "--seconds", "0.1", "--weighting", "alpha", "--alpha", "4"}).exit_code,
      kDone);
  EXPECT_EQ(server_.retrieval.expand_params().alpha(), 4);
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

TEST_F(AppTest, LinkWritesAFileThatNamesTheVoice) {
  const std::string link = folder_.path() + "/voice.index";
  for (int time = 0; time < 2; ++time) {  // a link may take the place of a link
    const Result result = Call({"link", "a", link.c_str(), "--json"});
    ASSERT_EQ(result.exit_code, kDone) << result.err;
    EXPECT_THAT(result.keys(), ElementsAre("url", "file"));
    std::ostringstream content;
    content << std::ifstream(link).rdbuf();
    EXPECT_EQ(content.str(), "kith link 1\nkith://" + target_ + "/a\n");
  }
  const Result refused = Call({"link", "a", frames_.c_str()});
  EXPECT_EQ(refused.exit_code, kFailed);
  EXPECT_THAT(refused.err, HasSubstr("frames.npy is there and is no link"));
  EXPECT_TRUE(npy::ReadMatrix(frames_).ok());
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
  EXPECT_THAT(result.err, AllOf(StartsWith("kith: "), HasSubstr(nowhere)));
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

TEST_F(AppTest, AStreamThatIsAllLateIsDone) {
  server_.retrieval.block_status = [](int64_t) {
    return MakeError(grpc::StatusCode::DEADLINE_EXCEEDED, "LATE", "late");
  };
  const Result result = Call({"stream", "voice", frames_.c_str(), "--budget-ms", "20000", "--json"});
  EXPECT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.json()["late"], result.json()["blocks"]);
  EXPECT_EQ(result.err, "");
}

TEST_F(AppTest, BlocksThatFailAreExitCode1WithTheFirstOnesMessage) {
  server_.retrieval.block_status = [](int64_t sequence) {
    return sequence == 0 ? grpc::Status::OK
                         : MakeError(grpc::StatusCode::INVALID_ARGUMENT, "NOT_FINITE",
                                     "block " + std::to_string(sequence) + " is bad");
  };
  const Result result = Call({"stream", "voice", frames_.c_str(), "--budget-ms", "20000", "--json"});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_EQ(result.json()["errors"], 2);
  EXPECT_EQ(result.err, "kith: 2 blocks failed; the first: block 1 is bad\n");
}

TEST_F(AppTest, TheTimeoutEndsAStream) {
  const Result result = Call(
      {"stream", "voice", frames_.c_str(), "--seconds", "600", "--timeout", "0.2", "--budget-ms", "20000", "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_EQ(result.json()["rows"], 10);
}

// stream - with these rows of two values on stdin and what is written to `out`.
class StdinTest : public AppTest {
 protected:
  Result Pipe(int64_t rows, const std::string& target, int out_fd) {
    std::FILE* in = std::tmpfile();
    const std::vector<float> values(2 * rows, 1);
    if (rows > 0) {
      EXPECT_EQ(std::fwrite(values.data(), sizeof(float), values.size(), in), values.size());
    }
    std::rewind(in);
    const Result result =
        Kith({"stream", "voice", "-", "--dimension", "2", "--budget-ms", "20000", "--json", "--server", target.c_str()},
             fileno(in), out_fd);
    std::fclose(in);
    return result;
  }
};

TEST_F(StdinTest, ItIsToldThatTheServerIsNotReached) {
  const std::string nowhere = test::UnreachableTarget();
  const int out = open("/dev/null", O_WRONLY);
  const Result result = Pipe(40, nowhere, out);
  EXPECT_EQ(result.exit_code, kNotReached);
  EXPECT_THAT(result.err, AllOf(StartsWith("kith: "), HasSubstr(nowhere)));
  EXPECT_EQ(Pipe(0, nowhere, out).exit_code, kDone) << "there was nothing to play";
  close(out);
}

TEST_F(StdinTest, ItIsToldThatAListenerNeverAnswers) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string mute = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const int out = open("/dev/null", O_WRONLY);
  const Result result = Pipe(40, mute, out);
  EXPECT_EQ(result.exit_code, kNotReached);
  EXPECT_THAT(result.err, AllOf(StartsWith("kith: "), HasSubstr(mute)));
  close(out);
  close(listener);
}

TEST_F(StdinTest, RowsThatCannotBeWrittenAreAFailure) {
  const int full = open("/dev/full", O_WRONLY);
  const Result result = Pipe(40, target_, full);
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_THAT(result.err, HasSubstr("stdout: cannot be written"));
  close(full);
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
