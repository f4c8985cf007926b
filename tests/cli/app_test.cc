// Every other command against a fake server.
#include "client/cli/app.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/npy/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/app_fixture.h"

namespace kith::cli {
namespace {

using test::MakeError;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
                  "--index-rate", "0.5", "--nprobe", "5", "--include-query"})
                .exit_code,
            kDone);
  const v1::ExpandParams expand = server_.retrieval.expand_params();
  EXPECT_EQ(expand.weighting(), v1::WEIGHTING_ALPHA);
  EXPECT_EQ(expand.alpha(), 2);
  EXPECT_EQ(expand.index_rate(), 0.5f);
  EXPECT_EQ(expand.search().nprobe(), 5);
  EXPECT_TRUE(expand.include_query());
  EXPECT_FALSE(expand.unit_norm());

  ASSERT_EQ(Call({"stream", "voice", frames_.c_str(), "--seconds", "0.1", "--weighting", "alpha", "--alpha", "4",
                  "--unit-norm"})
                .exit_code,
            kDone);
  EXPECT_EQ(server_.retrieval.expand_params().alpha(), 4);
  EXPECT_TRUE(server_.retrieval.expand_params().unit_norm());
  EXPECT_FALSE(server_.retrieval.expand_params().include_query());
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
                                                       {"load", "a"},
                                                       {"rollback", "a"},
                                                       {"backup", out_.c_str()},
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
  EXPECT_THAT(show.keys(),
              ElementsAre("name", "state", "message", "rows", "dimension", "metric", "recipe", "compression",
                          "expansion", "factory", "nlist", "nprobe", "k_factor", "generation", "recall_at_8", "bytes",
                          "resident", "created", "updated", "disk_bytes", "pinned", "last_used"));
  EXPECT_EQ(show.json()["state"], "ready");
  EXPECT_EQ(show.json()["message"], nullptr);
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
  const std::string nothing = folder_.path() + "/added_voice.index";
  std::ofstream(nothing).flush();
  const Result imported = Call({"import", "voice", nothing.c_str()});
  EXPECT_EQ(imported.exit_code, kFailed);
  EXPECT_THAT(imported.err, HasSubstr(nothing + ": the file is empty"));
  const Result nameless = Call({"expand", "voice", frames_.c_str(), "-o", ""});
  EXPECT_EQ(nameless.exit_code, kFailed);
  EXPECT_EQ(nameless.err, "kith: the name of the file to write is empty\n");
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

}  // namespace
}  // namespace kith::cli
