#include "client/cli/progress.h"

#include <sstream>

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
    Progress progress(terminal, /*enabled=*/true);
    progress.Update("saving", 1, 2);
  }
  EXPECT_EQ(terminal.str(), "");
}

}  // namespace
}  // namespace kith::cli
