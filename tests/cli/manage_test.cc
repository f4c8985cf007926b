// Where a voice is kept, its generations, and backups: the commands against a fake server.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/cli/experiment_report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/app_fixture.h"

namespace kith::cli {
namespace {

using test::MakeError;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class ManageCommandsTest : public AppTest {
 protected:
  // A file with the head of a tar, which is all that is looked at here.
  std::string WriteTar() const {
    std::string tar(1024, '\0');
    tar.replace(257, 5, "ustar");
    std::ofstream(tar_, std::ios::binary) << tar;
    return tar;
  }
  std::vector<std::string> FolderEntries() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  const std::string tar_ = folder_.path() + "/voices.tar";
};

TEST_F(ManageCommandsTest, LogLevelTellsAndChangesWhatTheServerLogs) {
  EXPECT_EQ(Call({"log-level"}).out, "info\n");
  const Result changed = Call({"log-level", "debug"});
  EXPECT_EQ(changed.exit_code, kDone);
  EXPECT_THAT(changed.out, AllOf(HasSubstr("debug"), HasSubstr("it was info")));
  EXPECT_EQ(Call({"log-level", "--json"}).json(), (Json{{"level", "debug"}}));
  EXPECT_EQ(Call({"--json", "log-level", "warn"}).json(), (Json{{"level", "warn"}, {"previous", "debug"}}));
  EXPECT_EQ(Call({"log-level", "loud"}).exit_code, kWrongUsage);
  EXPECT_EQ(server_.experiments.log_level, "warn");
}

TEST_F(ManageCommandsTest, ShowSaysWhereTheVoiceIs) {
  EXPECT_THAT(Call({"show", "a"}).out,
              AllOf(HasSubstr("\nmemory:     1.0 MiB\n"), HasSubstr("\npinned:     no\n"),
                    HasSubstr("\non disk:    2.0 MiB\n"), HasSubstr("\nlast used:  2023-11-14T22:13:22Z\n")));
  const Json report = Call({"show", "a", "--json"}).json();
  EXPECT_EQ(report["disk_bytes"], 2 << 20);
  EXPECT_EQ(report["pinned"], false);
  EXPECT_EQ(report["last_used"], "2023-11-14T22:13:22Z");
}

TEST_F(ManageCommandsTest, ShowOfAVoiceThatIsNotInMemory) {
  server_.experiments.resident = false;
  server_.experiments.used = false;
  EXPECT_THAT(
      Call({"show", "a"}).out,
      AllOf(HasSubstr("\nframes:     7253 x 768\n"), HasSubstr("\nmemory:     not loaded; its next use loads it\n"),
            HasSubstr("\nlast used:  not since the server started\n"), Not(HasSubstr("0.0 MiB"))));
  const Json report = Call({"show", "a", "--json"}).json();
  EXPECT_EQ(report["resident"], false);
  EXPECT_EQ(report["bytes"], 0);
  EXPECT_EQ(report["last_used"], nullptr);
}

TEST_F(ManageCommandsTest, ShowOfADegradedVoiceSaysWhy) {
  server_.experiments.degraded = "generation 4 is damaged: kith rollback makes 3 the current one";
  const std::string why = "degraded: generation 4 is damaged: kith rollback makes 3 the current one\n";
  EXPECT_THAT(Call({"show", "a"}).out, HasSubstr("\nstate:      " + why));
  EXPECT_EQ(Call({"show", "a", "--json"}).json()["state"], "degraded");
  EXPECT_THAT(Call({"load", "a"}).out, EndsWith(why));
}

TEST_F(ManageCommandsTest, AVoiceThatCannotBeReadIsNotSaidToLoad) {
  Experiment failed;
  failed.name = "a";
  failed.state = Experiment::State::kFailed;
  failed.message = "its files are damaged";
  failed.disk_bytes = 3 << 20;
  EXPECT_EQ(ExperimentText(failed),
            "name:       a\nstate:      failed: its files are damaged\nmemory:     not loaded\npinned:     no\n"
            "on disk:    3.0 MiB\nlast used:  not since the server started\n");
  failed.state = Experiment::State::kTraining;
  failed.message = "";
  EXPECT_EQ(ExperimentText(failed), "name:       a\nstate:      training\n");
}

TEST_F(ManageCommandsTest, ListHasAColumnForWhereAVoiceIs) {
  EXPECT_THAT(Call({"list"}).out, HasSubstr("7253 x 768   loaded   IVF185"));
  server_.experiments.pinned = true;
  EXPECT_THAT(Call({"list"}).out, HasSubstr("7253 x 768   pinned   IVF185"));
  server_.experiments.resident = false;
  EXPECT_THAT(Call({"list"}).out, HasSubstr("7253 x 768   on disk  IVF185"));
}

TEST_F(ManageCommandsTest, LoadUnloadPinUnpin) {
  EXPECT_EQ(Call({"unload", "a"}).out, "unloaded a; its next use loads it again\n");
  EXPECT_FALSE(server_.experiments.resident);
  EXPECT_EQ(Call({"load", "a"}).out, "loaded a: 1.0 MiB\n");
  EXPECT_TRUE(server_.experiments.resident);
  EXPECT_EQ(Call({"pin", "a"}).out, "pinned a: 1.0 MiB\n");
  EXPECT_TRUE(server_.experiments.pinned);
  EXPECT_EQ(Call({"unpin", "a"}).out, "unpinned a; it may leave memory when others need room\n");
  EXPECT_FALSE(server_.experiments.pinned);
  EXPECT_EQ(Call({"load", "a", "--json"}).json(), Call({"show", "a", "--json"}).json());
  for (const char* command : {"load", "unload", "pin", "unpin", "generations", "rollback"}) {
    const Result unknown = Call({command, "x"});
    EXPECT_EQ(unknown.exit_code, kFailed) << command;
    EXPECT_EQ(unknown.err, "kith: there is no experiment x\n") << command;
    EXPECT_EQ(unknown.out, "") << command;
  }
}

TEST_F(ManageCommandsTest, GenerationsIsATable) {
  const Result table = Call({"generations", "a"});
  ASSERT_EQ(table.exit_code, kDone) << table.err;
  std::vector<std::string> lines;
  std::istringstream stream(table.out);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  EXPECT_THAT(
      lines,
      ElementsAre("  generation               frames     on disk  created               updated               index",
                  "*          3           7253 x 768     2.0 MiB  2023-11-14T22:13:20Z  2023-11-14T22:13:21Z  "
                  "IVF185,Flat, nlist 185, nprobe 12, recall@8 0.967",
                  "           2           7253 x 768     2.0 MiB  2023-11-14T22:13:20Z  2023-11-14T22:13:21Z  "
                  "IVF185,Flat, nlist 185, nprobe 12, recall@8 0.967",
                  "              cannot be read: index.faiss is damaged"));
  const Json report = Call({"generations", "a", "--json"}).json();
  ASSERT_EQ(report["generations"].size(), 2u);
  EXPECT_EQ(report["generations"][0], Json({{"generation", 3},
                                            {"current", true},
                                            {"rows", 7253},
                                            {"dimension", 768},
                                            {"metric", "cosine"},
                                            {"recipe", "auto"},
                                            {"factory", "IVF185,Flat"},
                                            {"nlist", 185},
                                            {"nprobe", 12},
                                            {"recall_at_8", 0.967},
                                            {"disk_bytes", 2 << 20},
                                            {"created", "2023-11-14T22:13:20Z"},
                                            {"updated", "2023-11-14T22:13:21Z"},
                                            {"message", nullptr}}));
  EXPECT_EQ(report["generations"][1]["message"], "index.faiss is damaged");
}

TEST_F(ManageCommandsTest, RollbackToTheOneBeforeOrToAGivenOne) {
  EXPECT_THAT(Call({"rollback", "a"}).out,
              HasSubstr("rolled back a: generation 2 is the current one now, 7253 frames of 768 dimensions"));
  EXPECT_FALSE(server_.experiments.rollback_request.has_to());
  EXPECT_EQ(Call({"rollback", "a", "--to", "1", "--json"}).json()["generation"], 1);
  EXPECT_EQ(server_.experiments.rollback_request.to(), 1);
}

TEST_F(ManageCommandsTest, BackupWritesTheFileAndSaysWhatItHolds) {
  const Result result = Call({"backup", tar_.c_str(), "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_THAT(result.keys(), ElementsAre("file", "experiments", "generations", "bytes", "left_out", "seconds"));
  EXPECT_EQ(result.json()["experiments"], 3);
  EXPECT_EQ(result.json()["generations"], 5);
  std::ostringstream content;
  content << std::ifstream(tar_).rdbuf();
  EXPECT_EQ(content.str(), server_.experiments.backup);
  EXPECT_THAT(Call({"backup", tar_.c_str()}).out, HasSubstr("3 voices, 5 generations, 0.0 MiB"));
}

TEST_F(ManageCommandsTest, ABackupThatIsNotWholeIsKeptAndSaysWhatIsNotInIt) {
  server_.experiments.left_out.resize(2);
  server_.experiments.left_out[0].set_experiment("anna");
  server_.experiments.left_out[0].set_message("total_fea.npy is damaged");
  server_.experiments.left_out[1].set_experiment("bob");
  server_.experiments.left_out[1].set_generation(3);
  server_.experiments.left_out[1].set_message("index.faiss is damaged");
  const Result text = Call({"backup", tar_.c_str()});
  EXPECT_EQ(text.exit_code, kFailed);
  EXPECT_THAT(text.err, AllOf(HasSubstr("kith: 'anna' is not in it: total_fea.npy is damaged\n"),
                              HasSubstr("kith: generation 3 of 'bob' is not in it: index.faiss is damaged\n")));
  EXPECT_EQ(std::filesystem::file_size(tar_), server_.experiments.backup.size());
  const Result result = Call({"backup", tar_.c_str(), "--json"});
  EXPECT_EQ(result.exit_code, kFailed);
  ASSERT_EQ(result.json()["left_out"].size(), 2u);
  EXPECT_EQ(result.json()["left_out"][1]["experiment"], "bob");
  EXPECT_EQ(result.json()["left_out"][1]["generation"], 3);
}

TEST_F(ManageCommandsTest, ABackupThatFailsLeavesWhatWasThere) {
  std::filesystem::remove(frames_);
  server_.experiments.before = [] { return MakeError(grpc::StatusCode::UNAVAILABLE, "STORAGE", "the disk fails"); };
  EXPECT_EQ(Call({"backup", tar_.c_str()}).err, "kith: the disk fails\n");
  EXPECT_THAT(FolderEntries(), ElementsAre());
  std::ofstream(tar_) << "the last one";
  EXPECT_EQ(Call({"backup", tar_.c_str()}).exit_code, kFailed);
  EXPECT_THAT(FolderEntries(), ElementsAre("voices.tar"));
  EXPECT_EQ(std::filesystem::file_size(tar_), 12u);
  EXPECT_THAT(Call({"backup", folder_.path().c_str()}).err, HasSubstr("is a folder; give a file's name"));
  EXPECT_THAT(Call({"backup", "/nowhere/a.tar"}).err, HasSubstr("/nowhere/a.tar: cannot be created"));
}

TEST_F(ManageCommandsTest, RestoreSendsTheFileAndListsWhatWasPutIn) {
  const std::string tar = WriteTar();
  const Result result = Call({"restore", tar_.c_str(), "--json"});
  ASSERT_EQ(result.exit_code, kDone) << result.err;
  EXPECT_THAT(result.keys(), ElementsAre("file", "experiments", "seconds"));
  EXPECT_EQ(result.json()["experiments"][0]["name"], "a");
  EXPECT_EQ(server_.experiments.restored, tar);
  EXPECT_FALSE(server_.experiments.replace);
  const Result text = Call({"restore", tar_.c_str(), "--replace"});
  EXPECT_TRUE(server_.experiments.replace);
  EXPECT_THAT(text.out, AllOf(HasSubstr("7253 x 768"), HasSubstr("restored 1 voice from " + tar_)));
}

TEST_F(ManageCommandsTest, RestoreSaysWhatIsWrongWithTheFile) {
  EXPECT_THAT(Call({"restore", "/nowhere/a.tar"}).err, HasSubstr("/nowhere/a.tar: cannot be opened"));
  EXPECT_THAT(Call({"restore", folder_.path().c_str()}).err, HasSubstr("is no plain file"));
  EXPECT_THAT(Call({"restore", frames_.c_str()}).err, HasSubstr("frames.npy: is no tar; give a tar that kith backup"));
  std::ofstream empty(tar_);
  EXPECT_THAT(Call({"restore", tar_.c_str()}).err, HasSubstr("voices.tar: the file is empty"));
}

TEST_F(ManageCommandsTest, RestoreOverVoicesThatExistNamesTheWayOut) {
  WriteTar();
  server_.experiments.before = [] { return MakeError(grpc::StatusCode::ALREADY_EXISTS, "BAD_PARAMETER", "a exists"); };
  const Result result = Call({"restore", tar_.c_str()});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_THAT(result.err, AllOf(HasSubstr("a exists"), HasSubstr("kith restore --replace")));
}

}  // namespace
}  // namespace kith::cli
