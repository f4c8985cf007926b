#include "tests/crash/crash_fixture.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kith::crash {

namespace fs = std::filesystem;

int64_t Setting(const char* variable, int64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoll(text);
}

bool IsLong() { return Setting("KITH_CRASH_LONG", 0) != 0; }

CrashTest::CrashTest() {
  folder_ = (fs::temp_directory_path() / "kith-crash-XXXXXX").string();
  if (mkdtemp(folder_.data()) == nullptr) abort();
}

CrashTest::~CrashTest() {
  Forget();
  if (HasFailure() && Setting("KITH_CRASH_KEEP", 0) != 0) return;
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void CrashTest::StartWith(const std::string& program, const std::string& fault) {
  Forget();
  server_ = std::make_unique<ServerProcess>(program, data_dir(), fault, config_);
  ASSERT_TRUE(server_->WaitUntilServing()) << "exit " << server_->Wait() << ": " << server_->err();
  client_ = server_->Connect();
}

void CrashTest::Start(const std::string& program) { StartWith(program, ""); }

void CrashTest::StartFaulty() {
  Disarm();
  StartWith(KithdFaulty(), "@" + fault_file());
}

void CrashTest::KillAndStart(const std::string& program) {
  EXPECT_EQ(server_->End(SIGKILL), -SIGKILL) << server_->err();
  Start(program);
}

void CrashTest::Arm(const std::string& order) const {
  const std::string next = fault_file() + ".next";
  std::ofstream(next) << order;
  fs::rename(next, fault_file());
}

void CrashTest::set_config(const std::string& yaml) {
  config_ = folder_ + "/kithd.yaml";
  std::ofstream(config_) << yaml;
}

void CrashTest::ExpectSound() const {
  const std::string copy = folder_ + "/copy";
  fs::remove_all(copy);
  fs::copy(data_dir(), copy, fs::copy_options::recursive);
  const e2e::Finished check = CheckData(copy);
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
  fs::remove_all(copy);
}

void CrashTest::StopAndLook(int64_t experiments) {
  EXPECT_EQ(server().End(SIGTERM), 0) << server().err();
  ExpectNoLeftovers(experiments);
  ExpectSound();
}

void CrashTest::ExpectNoLeftovers(int64_t experiments) const {
  int64_t snapshots = 0;
  for (const auto& entry : fs::directory_iterator(data_dir() + "/snapshots")) {
    ++snapshots;
    EXPECT_EQ(fs::exists(entry.path() / "manifest.json"), true) << entry.path() << " is half a snapshot";
    EXPECT_NE(entry.path().filename().string().rfind("tmp-", 0), 0u) << entry.path();
  }
  EXPECT_LE(snapshots, 2 * experiments);
  EXPECT_TRUE(fs::is_empty(data_dir() + "/scratch"));
}

}  // namespace kith::crash
