// An index as bytes and back.
#include "server/retrieval/serialize.h"

#include <algorithm>
#include <string>

#include "server/base/status.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

std::string Written(const Index& index) {
  std::string bytes;
  const absl::Status status = WriteIndex(index, [&](absl::Span<const char> piece) {
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return bytes;
}

// Gives at most `piece` bytes at a time, as a file may.
absl::StatusOr<std::unique_ptr<Index>> Read(const std::string& bytes, const Frames& frames, Metric metric,
                                            const BuildReport& report, size_t piece = 1 << 20) {
  size_t taken = 0;
  return ReadIndex(
      [&](absl::Span<char> buffer) -> absl::StatusOr<size_t> {
        const size_t count = std::min({piece, buffer.size(), bytes.size() - taken});
        std::copy_n(bytes.begin() + static_cast<int64_t>(taken), count, buffer.begin());
        taken += count;
        return count;
      },
      frames.view(), metric, report);
}

// Where the bytes end too soon faiss throws and leaves behind what it had read. While one of these lives, the address
// sanitizer does not mind.
struct FaissLeaks {
#ifdef __SANITIZE_ADDRESS__
  __lsan::ScopedDisabler disabler;
#endif
};

void ExpectDataLoss(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(ReasonOf(status), "STORAGE");
}

class EveryFormAsBytes : public ::testing::TestWithParam<Metric> {};

void ExpectRoundTrip(const Index& index, const std::string& bytes, const Frames& frames, const Frames& queries) {
  const auto back = Read(bytes, frames, index.metric(), index.report(), 1000);
  ASSERT_TRUE(back.ok()) << back.status();
  const Neighbors before = MustSearch(index, queries.view());
  const Neighbors after = MustSearch(**back, queries.view());
  EXPECT_EQ(after.ids, before.ids);
  EXPECT_EQ(after.distances, before.distances);
  EXPECT_EQ(Written(**back), bytes);

  ASSERT_TRUE((*back)->Add(queries.view()).ok());
  EXPECT_EQ((*back)->rows(), frames.rows() + queries.rows());
  EXPECT_EQ((*back)->CopyFrames().values, Join(frames.view(), queries.view()).values);
}

TEST_P(EveryFormAsBytes, ComesBackWithTheSameAnswersOrIsDataLoss) {
  const Frames frames = SpeechLike(kFormRows, kFormDimension);
  const Frames queries = SpeechLike(20, kFormDimension, 2);
  for (const std::string& form : AllForms()) {
    SCOPED_TRACE(form);
    const auto index = MustBuild(RecipeOf(form, GetParam()), frames);
    const std::string bytes = Written(*index);
    ExpectRoundTrip(*index, bytes, frames, queries);
    for (const size_t left : {size_t{0}, size_t{3}, size_t{4}, size_t{20}, size_t{37}, bytes.size() / 3,
                              bytes.size() / 2, bytes.size() - 100, bytes.size() - 1}) {
      SCOPED_TRACE(left);
      [[maybe_unused]] const FaissLeaks leaks;
      ExpectDataLoss(Read(bytes.substr(0, left), frames, GetParam(), index->report()).status());
    }
  }
}

KITH_EVERY_METRIC(EveryFormAsBytes);

TEST(SerializeTest, HashedFormsComeBack) {
  const Frames frames = SpeechLike(kFormRows, kFormDimension);
  for (const std::string form : {"LSH", "LSHrt", "LSHt,RFlat", "PCA16,LSH"}) {
    SCOPED_TRACE(form);
    const auto index = MustBuild(RecipeOf(form), frames);
    ExpectRoundTrip(*index, Written(*index), frames, SpeechLike(20, kFormDimension, 2));
  }
}

TEST(SerializeTest, WhatDoesNotFitTheFramesIsDataLoss) {
  const Frames frames = SpeechLike(100, 32);
  const auto index = MustBuild(RecipeOf("auto"), frames);
  const std::string bytes = Written(*index);
  ASSERT_TRUE(Read(bytes, frames, Metric::kL2, index->report()).ok());
  ExpectDataLoss(Read(bytes, SpeechLike(99, 32), Metric::kL2, index->report()).status());
  ExpectDataLoss(Read(bytes, SpeechLike(200, 16), Metric::kL2, index->report()).status());
  ExpectDataLoss(Read(bytes, SpeechLike(100, 16), Metric::kL2, index->report()).status());
  ExpectDataLoss(Read(bytes, frames, Metric::kInnerProduct, index->report()).status());
  ExpectDataLoss(Read(bytes, frames, Metric::kCosine, index->report()).status());
  ExpectDataLoss(Read("this is no index at all", frames, Metric::kL2, index->report()).status());
}

TEST(SerializeTest, AFailingSinkEndsItWithItsOwnStatus) {
  const auto index = MustBuild(RecipeOf("rvc"), SpeechLike(200, 32));
  const absl::Status full = Error(Reason::kStorage, "the disk is full");
  for (const int pieces : {0, 1, 5}) {
    int taken = 0;
    const absl::Status status =
        WriteIndex(*index, [&](absl::Span<const char>) { return taken++ < pieces ? absl::OkStatus() : full; });
    EXPECT_EQ(status, full);
    EXPECT_EQ(taken, pieces + 1);  // not asked again
  }
}

TEST(SerializeTest, AFailingSourceEndsItWithItsOwnStatus) {
  const absl::Status broken = Error(Reason::kStorage, "the disk is broken");
  const auto index = ReadIndex([&](absl::Span<char>) -> absl::StatusOr<size_t> { return broken; },
                               FrameView{nullptr, 0, 32}, Metric::kL2, {});
  EXPECT_EQ(index.status(), broken);
}

}  // namespace
}  // namespace kith::retrieval
