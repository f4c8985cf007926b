// Help, and command lines that are wrong.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/app_fixture.h"

namespace kith::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kCommands[] = {"train", "add",   "search",      "expand",   "stream",   "tune",    "link",
                                     "list",  "show",  "delete",      "health",   "generate", "load",    "unload",
                                     "pin",   "unpin", "generations", "rollback", "backup",   "restore", "bench"};

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
      {"expand", "voice", "a.npy", "-o", "b.npy", "--alpha", "2"},
      {"expand", "voice", "a.npy", "-o", "b.npy", "--include-query"},
      {"expand", "voice", "a.npy", "-o", "b.npy", "--unit-norm", "--weighting", "inverse-square"},
      {"stream", "voice", "a.npy", "--include-query"},
      {"stream", "voice", "a.npy", "--seconds", "1e300"},
      {"bench"},
      {"bench", "voice", "--clients", "0"},
      {"bench", "voice", "--rate", "0"},
      {"bench", "voice", "--seconds", "never"},
      {"bench", "voice", "--warm-up", "-1"},
      {"bench", "voice", "--block-rows", "8193"},
      {"bench", "voice", "--unary", "--budget-ms", "100"},
      {"bench", "voice", "--connections", "2"},
      {"bench", "voice", "--threads", "2"},
      {"bench", "voice", "other", "--clients", "1"},
      {"bench", "voice", "--alpha", "2"},
      {"tune", "voice", "--sample", "-3"},
      {"tune", "voice", "--sample", "0.5"},
      {"tune", "voice", "--target-recall", "0"},
      {"tune", "voice", "--target-recall", "1.01"},
      {"tune", "voice", "--target-recall", "nan"},
      {"generate", "folder", "--rows", "0"},
      {"load"},
      {"rollback", "voice", "--to", "last"},
      {"backup"},
      {"restore", "a.tar", "b.tar"},
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
  const Result sample = Kith({"tune", "voice", "--sample", "0"});
  EXPECT_THAT(sample.err, HasSubstr("--sample: 0 is no whole number from 1 on"));
  EXPECT_LT(sample.err.size(), 160u);
  EXPECT_THAT(Kith({"tune", "voice", "--target-recall", "0"}).err, HasSubstr("above 0, at most 1"));
  EXPECT_THAT(Kith({"expand", "voice", "a.npy", "-o", "b.npy", "--alpha", "2"}).err,
              HasSubstr("--alpha: goes with --weighting alpha only"));
  EXPECT_THAT(Kith({"train", "voice", "--metric", "7"}).err, HasSubstr("cosine, inner-product, l2"));
}

}  // namespace
}  // namespace kith::cli
