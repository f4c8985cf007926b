#include "client/cli/progress.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kith::cli {
namespace {

TEST(ProgressTest, ABarWhereTheTotalIsKnownElseTheCount) {
  EXPECT_EQ(ProgressLine("saving", 1, 2), "saving       [====================                    ] 50%");
  EXPECT_EQ(ProgressLine("saving", 9, 2), "saving       [========================================] 100%");
  EXPECT_EQ(ProgressLine("receiving", 4096, 0), "receiving    4096");
  EXPECT_EQ(ProgressLine("queued", 0, 0), "queued      ");
}

TEST(ProgressTest, ShowsNothingOfWhatIsQuicklyDone) {
  std::ostringstream terminal;
  {
    Progress progress(terminal, /*enabled=*/true, "connecting");
    progress.Update("saving", 1, 2);
  }
  EXPECT_EQ(terminal.str(), "");
}

// Tells when something is written to it.
class Terminal final : public std::stringbuf {
 public:
  void WaitForDrawings(int count) {
    std::unique_lock lock(mutex_);
    drawn_.wait(lock, [&] { return drawings_ >= count; });
  }

 private:
  int sync() override {
    std::lock_guard lock(mutex_);
    ++drawings_;
    drawn_.notify_all();
    return 0;
  }

  std::mutex mutex_;
  std::condition_variable drawn_;
  int drawings_ = 0;
};

TEST(ProgressTest, ALongStepIsDrawnAgainAndAgainWithoutAnyUpdate) {
  Terminal buffer;
  std::ostream terminal(&buffer);
  {
    const Progress progress(terminal, /*enabled=*/true, "connecting", std::chrono::milliseconds(0));
    buffer.WaitForDrawings(2);
  }
  EXPECT_THAT(buffer.str(), ::testing::HasSubstr("connecting    0 s"));
  EXPECT_THAT(buffer.str(), ::testing::EndsWith("\r\x1b[K")) << "the line is wiped at the end";
}

TEST(ProgressTest, ShowsNothingWhereItIsNotEnabled) {
  std::ostringstream terminal;
  {
    Progress progress(terminal, /*enabled=*/false, "connecting", std::chrono::milliseconds(0));
    progress.Update("saving", 1, 2);
  }
  EXPECT_EQ(terminal.str(), "");
}

}  // namespace
}  // namespace kith::cli
