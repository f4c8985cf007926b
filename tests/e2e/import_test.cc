// kith import, export, frames and import-logs against a real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "common/npy/npy.h"
#include "tests/e2e/fixture.h"

namespace kith::e2e {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class ImportCommandsTest : public EndToEnd {
 protected:
  ImportCommandsTest() { StartServer(); }

  void TrainAndExport() {
    KithJson({"train", "anna", GenerateFrames(1000), "--recipe", "rvc"});
    KithJson({"export", "anna", Path("anna.index")});
  }
  static void WriteFile(const fs::path& path, const std::string& content) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }
};

TEST_F(ImportCommandsTest, ExportImportFrames) {
  TrainAndExport();
  const auto exported = KithJson({"export", "anna", Path("again.index")});
  EXPECT_EQ(exported["experiment"], "anna");
  EXPECT_EQ(exported["generation"], 1);
  EXPECT_EQ(exported["bytes"], fs::file_size(Path("again.index")));
  EXPECT_EQ(exported["file"], Path("again.index"));
  EXPECT_GE(exported["seconds"], 0);

  const auto imported = KithJson({"import", "berta", Path("anna.index")});
  EXPECT_EQ(imported["experiment"], "berta");
  EXPECT_EQ(imported["rows"], 1000);
  EXPECT_EQ(imported["dimension"], 32);
  EXPECT_EQ(imported["generation"], 1);
  EXPECT_EQ(imported["factory"], "IVF25,Flat");
  EXPECT_EQ(imported["nprobe"], 1);
  EXPECT_GT(imported["recall_at_8"], 0);
  EXPECT_GE(imported["seconds"], 0);

  const auto frames = KithJson({"frames", "berta", "-o", Path("total_fea.npy")});
  EXPECT_EQ(frames["rows"], 1000);
  EXPECT_EQ(frames["dimension"], 32);
  EXPECT_EQ(frames["generation"], 1);
  KithJson({"frames", "anna", "-o", Path("trained.npy")});
  EXPECT_EQ(ReadFile(Path("total_fea.npy")), ReadFile(Path("trained.npy")));
  EXPECT_EQ(npy::ReadMatrix(Path("total_fea.npy"))->rows, 1000);

  EXPECT_EQ(StopServer(SIGTERM), 0);
  EXPECT_THAT(server_->err(), HasSubstr("experiment 'anna' trained in"));
  EXPECT_THAT(server_->err(), HasSubstr("experiment 'berta' imported in"));
}

class ImportLimitTest : public EndToEnd {};

TEST_F(ImportLimitTest, AFileAboveTheConfiguredSizeIsRefused) {
  std::ofstream(Path("kithd.yaml")) << "limits:\n  import_bytes: 1048576\n";
  ProcessOptions options;
  options.arguments = {"--config", Path("kithd.yaml")};
  StartServer("127.0.0.1:0", options);
  std::ofstream(Path("large.index"), std::ios::binary) << "IxF2" << std::string(1048576, ' ');
  const Finished refused = Kith({"import", "anna", Path("large.index")});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("larger than 1048576 bytes"));
  EXPECT_THAT(refused.err, HasSubstr("limits.import_bytes"));
}

TEST_F(ImportCommandsTest, MistakesAreToldWithWhatToDo) {
  TrainAndExport();
  KithJson({"frames", "anna", "-o", Path("anna.npy")});
  const Finished as_index = Kith({"import", "new", Path("anna.npy")});
  EXPECT_EQ(as_index.exit_code, 1);
  EXPECT_THAT(as_index.err, HasSubstr("kith train"));
  const Finished as_features = Kith({"train", "new", Path("anna.index")});
  EXPECT_EQ(as_features.exit_code, 1);
  EXPECT_THAT(as_features.err, HasSubstr("kith import"));
  const Finished missing = Kith({"import", "new", Path("nothing.index")});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("nothing.index: cannot be opened"));
  EXPECT_EQ(Kith({"show", "new"}).exit_code, 1);
}

TEST_F(ImportCommandsTest, APipeThatNobodyWritesToIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(mkfifo(Path("pipe.index").c_str(), 0600), 0);
  const Finished refused = Kith({"import", "anna", Path("pipe.index")});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("no plain file"));
}

TEST_F(ImportCommandsTest, AFailedExportLeavesTheFileThatWasThere) {
  WriteFile(Path("kept.index"), "before");
  EXPECT_EQ(Kith({"export", "nobody", Path("kept.index")}).exit_code, 1);
  EXPECT_EQ(ReadFile(Path("kept.index")), "before");
  EXPECT_EQ(Kith({"frames", "nobody", "-o", Path("kept.index")}).exit_code, 1);
  EXPECT_EQ(ReadFile(Path("kept.index")), "before");
}

TEST_F(ImportCommandsTest, AHalfIndexDoesNotEndTheServer) {
  TrainAndExport();
  const std::string whole = ReadFile(Path("anna.index"));
  WriteFile(Path("half.index"), whole.substr(0, whole.size() / 2));
  const Finished half = Kith({"import", "new", Path("half.index")});
  EXPECT_EQ(half.exit_code, 1);
  EXPECT_THAT(half.err, HasSubstr("truncated"));
  EXPECT_EQ(KithJson({"health"})["status"], "SERVING");
}

class ImportLogsTest : public ImportCommandsTest {
 protected:
  // A logs folder as RVC and Applio leave it.
  ImportLogsTest() {
    TrainAndExport();
    const fs::path logs = Path("logs");
    const std::string index = ReadFile(Path("anna.index"));
    WriteFile(logs / "rvc" / "added_IVF25_Flat_nprobe_1_rvc_v2.index", index);
    WriteFile(logs / "rvc" / "trained_IVF25_Flat_nprobe_1_rvc_v2.index", "no vectors");
    WriteFile(logs / "applio" / "applio.index", index);
    CopyFolder(GenerateFrames(300, 3), logs / "features" / "3_feature768");
    CopyFolder(GenerateFrames(200, 4), logs / "extracted" / "extracted");
    KithJson({"frames", "anna", "-o", Path("total_fea.npy")});
    WriteFile(logs / "total" / "total_fea.npy", ReadFile(Path("total_fea.npy")));
    WriteFile(logs / "only-trained" / "trained_IVF25_Flat_nprobe_1_x_v2.index", "no vectors");
    WriteFile(logs / "mute" / "3_feature768" / "mute.npy", ReadFile(Path("total_fea.npy")));
    WriteFile(logs / "empty" / "config.json", "{}");
    KithJson({"delete", "anna"});
  }

  static void CopyFolder(const fs::path& from, const fs::path& to) {
    fs::create_directories(to);
    fs::copy(from, to, fs::copy_options::recursive);
  }

  static const nlohmann::json* Find(const nlohmann::json& report, const std::string& name) {
    for (const auto& voice : report["experiments"]) {
      if (voice["name"] == name) return &voice;
    }
    return nullptr;
  }
};

TEST_F(ImportLogsTest, ADryRunShowsWhatThereIsAndChangesNothing) {
  const auto found = KithJson({"import-logs", Path("logs"), "--dry-run"});
  ASSERT_EQ(found["experiments"].size(), 6u);
  EXPECT_EQ((*Find(found, "rvc"))["action"], "import");
  EXPECT_THAT((*Find(found, "rvc"))["source"].get<std::string>(), HasSubstr("added_"));
  EXPECT_EQ((*Find(found, "rvc"))["rows"], 1000);
  EXPECT_EQ((*Find(found, "rvc"))["dimension"], 32);
  EXPECT_EQ((*Find(found, "applio"))["action"], "import");
  EXPECT_EQ((*Find(found, "features"))["action"], "train");
  EXPECT_EQ((*Find(found, "features"))["rows"], 300);
  EXPECT_EQ((*Find(found, "extracted"))["action"], "train");
  EXPECT_EQ((*Find(found, "extracted"))["rows"], 200);
  EXPECT_EQ((*Find(found, "total"))["action"], "train");
  EXPECT_EQ((*Find(found, "only-trained"))["action"], "skip");
  EXPECT_THAT((*Find(found, "only-trained"))["error"].get<std::string>(), HasSubstr("trained_"));
  EXPECT_EQ(Find(found, "mute"), nullptr);
  EXPECT_EQ(KithJson({"list"})["experiments"].size(), 0u);

  const Finished text = Kith({"import-logs", Path("logs"), "--dry-run"});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_THAT(text.out, HasSubstr("1000 x 32"));
}

TEST_F(ImportLogsTest, BringsEveryVoice) {
  const auto done = KithJson({"import-logs", Path("logs")});
  EXPECT_TRUE((*Find(done, "rvc"))["error"].is_null());
  EXPECT_EQ(KithJson({"show", "rvc"})["rows"], 1000);
  EXPECT_EQ(KithJson({"show", "applio"})["rows"], 1000);
  EXPECT_EQ(KithJson({"show", "features"})["rows"], 300);
  EXPECT_EQ(KithJson({"show", "extracted"})["rows"], 200);
  EXPECT_EQ(KithJson({"show", "total"})["rows"], 1000);
  EXPECT_EQ(KithJson({"list"})["experiments"].size(), 5u);
}

TEST_F(ImportLogsTest, OneThatFailsCostsItselfOnly) {
  WriteFile(Path("logs/broken/added_broken.index"), "IwFl");
  const Finished done = Kith({"import-logs", Path("logs"), "--json"});
  EXPECT_EQ(done.exit_code, 1);
  EXPECT_THAT(done.err, HasSubstr("kith: broken: "));
  EXPECT_FALSE((*Find(LastJson(done.out), "broken"))["error"].is_null());
  EXPECT_EQ(KithJson({"list"})["experiments"].size(), 5u);
}

TEST_F(ImportLogsTest, ANewerIndexComesBeforeAnOlderOne) {
  const fs::path older = Path("logs/rvc/added_IVF25_Flat_nprobe_1_rvc_v2.index");
  const fs::path newer = Path("logs/rvc/added_IVF9_Flat_nprobe_1_rvc_v2.index");
  WriteFile(newer, ReadFile(older.string()));
  fs::last_write_time(older, fs::last_write_time(newer) - std::chrono::hours(1));
  const auto found = KithJson({"import-logs", Path("logs"), "--dry-run"});
  EXPECT_EQ((*Find(found, "rvc"))["source"], newer.string());
}

TEST_F(ImportLogsTest, AFolderWithoutVoicesIsAnError) {
  fs::create_directories(Path("none/mute"));
  EXPECT_THAT(Kith({"import-logs", Path("none")}).err, HasSubstr("no voice in this folder"));
  EXPECT_EQ(Kith({"import-logs", Path("missing")}).exit_code, 1);
}

}  // namespace
}  // namespace kith::e2e
