#include "server/base/file_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/wait_until.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public ::testing::Test {
 protected:
  FileWatchTest() {
    std::string name = ::testing::TempDir() + "kith-watch.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) abort();
    folder_ = name;
    std::ofstream(folder_ / "a") << "1";
    std::ofstream(folder_ / "b") << "1";
  }
  ~FileWatchTest() override { fs::remove_all(folder_); }

  // Makes a change and waits until it is told.
  template <typename Change>
  void ExpectTold(Change change) {
    const int before = told_;
    change();
    testing::WaitUntil([&] { return told_ > before; });
  }

  fs::path folder_;
  std::atomic<int> told_{0};
};

TEST_F(FileWatchTest, TellsOfEveryKindOfChange) {
  const FileWatch watch(
      {(folder_ / "a").string(), (folder_ / "b").string()}, [this] { ++told_; }, std::chrono::milliseconds(2));
  ExpectTold([&] { std::ofstream(folder_ / "a") << "22"; });
  ExpectTold([&] { std::ofstream(folder_ / "b") << "2"; });
  ExpectTold([&] { fs::remove(folder_ / "a"); });
  ExpectTold([&] { std::ofstream(folder_ / "a") << "22"; });
  ExpectTold([&] {
    std::ofstream(folder_ / "new") << "22";
    fs::rename(folder_ / "new", folder_ / "a");
  });
}

// As Kubernetes replaces a secret: what the link stands for is another folder.
TEST_F(FileWatchTest, SeesThroughLinks) {
  for (const char* name : {"one", "two"}) {
    fs::create_directory(folder_ / name);
    std::ofstream(folder_ / name / "cert") << "1";
  }
  fs::create_symlink("one", folder_ / "data");
  const FileWatch watch(
      {(folder_ / "data" / "cert").string()}, [this] { ++told_; }, std::chrono::milliseconds(2));
  ExpectTold([&] {
    fs::create_symlink("two", folder_ / "data2");
    fs::rename(folder_ / "data2", folder_ / "data");
  });
}

}  // namespace
}  // namespace kith
