// Memory, generations and backups as an operator meets them: the keys of kithd, the commands of kith.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/e2e/fixture.h"
#include "tests/support/wait_until.h"

namespace kith::e2e {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::HasSubstr;

class ManageTest : public EndToEnd {
 protected:
  void StartWith(const std::string& config) {
    std::ofstream(Path("kithd.yaml")) << config;
    ProcessOptions options;
    options.arguments = {"--config", Path("kithd.yaml")};
    StartServer("127.0.0.1:0", options);
  }
  bool IsResident(const std::string& name) const { return KithJson({"show", name})["resident"]; }
  std::string AQuery() const { return fs::directory_iterator(GenerateFrames(60, 2))->path().string(); }
};

TEST_F(ManageTest, VoicesComeAndGoWithinTheBudget) {
  StartServer();
  const std::string frames = GenerateFrames(100000);  // 12 MiB: 24 MiB in memory, and 37 MiB while it is loaded
  for (const char* name : {"anna", "bert", "carl"}) KithJson({"train", name, frames, "--factory", "Flat"});
  StopServer(SIGTERM);
  StartWith("memory:\n  budget: 64MiB\npreload: [anna]\n");
  testing::WaitUntil([&] { return IsResident("anna"); });
  EXPECT_EQ(KithJson({"show", "anna"})["pinned"], true);
  EXPECT_FALSE(IsResident("bert"));
  KithJson({"search", "bert", AQuery()});
  EXPECT_TRUE(IsResident("bert"));
  KithJson({"search", "carl", AQuery()});
  EXPECT_TRUE(IsResident("anna")) << "it is preloaded";
  EXPECT_FALSE(IsResident("bert"));
  EXPECT_THAT(Kith({"unpin", "anna"}).err, HasSubstr("preload"));
  EXPECT_EQ(KithJson({"pin", "carl"})["pinned"], true);
  const Finished full = Kith({"load", "bert"});
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err, AllOf(HasSubstr("loading 'bert' takes"), HasSubstr("64 MiB"), HasSubstr("unpin")));
  EXPECT_EQ(KithJson({"unpin", "carl"})["pinned"], false);
  EXPECT_EQ(KithJson({"unload", "carl"})["resident"], false);
  EXPECT_EQ(KithJson({"load", "bert"})["resident"], true);
  StopServer(SIGTERM);
  EXPECT_THAT(server_->err(), AllOf(HasSubstr("a budget of 64 MiB"), HasSubstr("'bert' let go of")));
}

TEST_F(ManageTest, GenerationsAreKeptAndAdditionsFoldedAsConfigured) {
  StartWith("storage:\n  keep_generations: 3\n  fold_rows: 50\n");
  for (int seed = 1; seed <= 4; ++seed) KithJson({"train", "anna", GenerateFrames(100, seed)});
  const auto generations = KithJson({"generations", "anna"})["generations"];
  ASSERT_EQ(generations.size(), 3u);
  EXPECT_EQ(generations[0]["generation"], 4);
  EXPECT_EQ(generations[2]["generation"], 2);
  KithJson({"add", "anna", GenerateFrames(60, 2)});
  const auto back = KithJson({"rollback", "anna"});
  EXPECT_EQ(back["generation"], 3);
  EXPECT_EQ(back["rows"], 100);
  EXPECT_EQ(KithJson({"rollback", "anna", "--to", "4"})["rows"], 160);
  const Finished none = Kith({"rollback", "anna", "--to", "1"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, HasSubstr("4, 3, 2"));
  testing::WaitUntil([&] { return server_->err().find("60 rows folded") != std::string::npos; });
  EXPECT_EQ(KithJson({"search", "anna", AQuery()})["ids"][0][0], 100);
}

TEST_F(ManageTest, ABackupIsADataFolderAndCanBeRestored) {
  StartServer();
  KithJson({"train", "anna", GenerateFrames(500)});
  KithJson({"add", "anna", GenerateFrames(60, 2)});
  KithJson({"train", "bert", GenerateFrames(100, 3)});
  const auto made = KithJson({"backup", Path("voices.tar")});
  EXPECT_EQ(made["experiments"], 2);
  EXPECT_EQ(made["bytes"], fs::file_size(Path("voices.tar")));
  const Finished exists = Kith({"restore", Path("voices.tar")});
  EXPECT_EQ(exists.exit_code, 1);
  EXPECT_THAT(exists.err, AllOf(HasSubstr("anna"), HasSubstr("--replace")));
  ASSERT_EQ(Kith({"delete", "anna"}).exit_code, 0);
  EXPECT_EQ(KithJson({"restore", Path("voices.tar"), "--replace"})["experiments"].size(), 2u);
  EXPECT_EQ(KithJson({"search", "anna", AQuery()})["ids"][0][0], 500);

  fs::create_directory(Path("unpacked"));
  ASSERT_EQ(RunProgram("/bin/tar", {"xf", Path("voices.tar"), "-C", Path("unpacked")}).exit_code, 0);
  const Finished check = RunProgram(Kithd(), {"--check", Path("unpacked")});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
  StopServer(SIGTERM);
  fs::remove_all(data_dir());
  fs::rename(Path("unpacked"), data_dir());
  StartServer();
  EXPECT_EQ(KithJson({"search", "anna", AQuery()})["ids"][0][0], 500);
  EXPECT_EQ(KithJson({"list"})["experiments"].size(), 2u);
}

TEST_F(ManageTest, WhatIsWrongIsSaidAndLeavesNothing) {
  StartServer();
  KithJson({"train", "anna", GenerateFrames(100)});
  for (const char* command : {"load", "unload", "pin", "unpin", "generations", "rollback"}) {
    const Finished unknown = Kith({command, "nobody"});
    EXPECT_EQ(unknown.exit_code, 1) << command;
    EXPECT_THAT(unknown.err, HasSubstr("'nobody'")) << command;
    EXPECT_EQ(Kith({command}).exit_code, 2) << command;
    EXPECT_EQ(Kith({command, "--help"}).exit_code, 0) << command;
  }
  std::ofstream(Path("empty.tar"));
  std::ofstream(Path("no.tar")) << "this is no tar";
  for (const char* file : {"empty.tar", "no.tar", "missing.tar"}) {
    const Finished refused = Kith({"restore", Path(file)});
    EXPECT_EQ(refused.exit_code, 1) << file;
    EXPECT_THAT(refused.err, HasSubstr(file));
  }
  EXPECT_EQ(Kith({"backup", Path("no folder/voices.tar")}).exit_code, 1);
  StopServer(SIGTERM);
  const Finished alone = Kith({"backup", Path("voices.tar")});
  EXPECT_EQ(alone.exit_code, 3);
  EXPECT_THAT(alone.err, HasSubstr(address_));
  EXPECT_FALSE(fs::exists(Path("voices.tar")));
}

TEST_F(ManageTest, CheckSaysWhatItIsGiven) {
  std::ofstream(Path("file")) << "no folder";
  fs::create_directory(Path("empty"));
  for (const char* wrong : {"nothing", "file", "empty"}) {
    const Finished finished = RunProgram(Kithd(), {"--check", Path(wrong)});
    EXPECT_EQ(finished.exit_code, 2) << wrong << finished.err;
    EXPECT_THAT(finished.err, HasSubstr(Path(wrong)));
  }
  EXPECT_THAT(RunProgram(Kithd(), {"--help"}).out, HasSubstr("--check DATA_DIR"));
  EXPECT_EQ(std::distance(fs::directory_iterator(Path("empty")), fs::directory_iterator()), 0) << "it only looks";
}

}  // namespace
}  // namespace kith::e2e
