#include "tests/soak/voice.h"

#include <gtest/gtest.h>

namespace kith::soak {
namespace {

constexpr int64_t kBlock = 4;

class Collect final : public FramesSink {
 public:
  absl::Status Begin(const FramesInfo&) override { return absl::OkStatus(); }
  absl::Status Write(FramesView rows) override {
    values.insert(values.end(), rows.values.begin(), rows.values.end());
    return absl::OkStatus();
  }
  std::vector<float> values;
};

// SplitMix64, of which any value can be had alone.
float Value(uint64_t position) {
  uint64_t bits = (position + 1) * 0x9e3779b97f4a7c15u;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  bits ^= bits >> 31;
  return static_cast<float>(bits >> 40) / static_cast<float>(1 << 24);
}

}  // namespace

Frames Voice::Rows(int64_t first, int64_t count) const {
  Frames rows{dimension_, std::vector<float>(static_cast<size_t>(count * dimension_))};
  const uint64_t start = (static_cast<uint64_t>(number_) << 40) + static_cast<uint64_t>(first * dimension_);
  for (size_t i = 0; i < rows.values.size(); ++i) rows.values[i] = Value(start + i);
  return rows;
}

int64_t Voice::Draw(std::mt19937_64& random, int64_t count) const {
  return static_cast<int64_t>(random() % static_cast<uint64_t>(rows_ - count + 1));
}

absl::Status Voice::Train(Client& client, int64_t rows) {
  const Frames frames = Rows(0, rows);
  MemorySource source(frames);
  TrainOptions options;
  options.recipe = Recipe{};
  options.recipe->factory = "IVF" + std::to_string(lists_) + ",Flat";
  options.recipe->nprobe = 1;
  const auto trained = client.Train(name(), source, options);
  if (!trained.ok()) return trained.status();
  EXPECT_EQ(trained->rows, rows);
  rows_ = rows;
  ++trainings_;
  return absl::OkStatus();
}

absl::Status Voice::Search(Client& client, std::mt19937_64& random) {
  const int64_t first = Draw(random, kBlock);
  const auto found = client.Search(name(), Rows(first, kBlock));
  if (!found.ok()) return found.status();
  for (int64_t i = 0; i < kBlock; ++i) EXPECT_EQ(found->ids.at(i * found->k), first + i) << name();
  return absl::OkStatus();
}

absl::Status Voice::Expand(Client& client, std::mt19937_64& random) {
  const int64_t first = Draw(random, kBlock);
  const Frames stored = Rows(first, kBlock);
  Frames moved = stored;
  for (float& value : moved.values) value += 1e-3f;
  ExpandParams params;
  params.search.k = 1;
  params.search.nprobe = lists_;  // moved, it may lie nearer to another list
  const auto expanded = client.Expand(name(), moved, params);
  if (!expanded.ok()) return expanded.status();
  EXPECT_EQ(expanded->passthrough_rows, 0);
  for (size_t i = 0; i < stored.values.size(); ++i) {
    EXPECT_NEAR(expanded->frames.values.at(i), stored.values[i], 1e-5) << name();
  }
  return absl::OkStatus();
}

absl::Status Voice::GetFrames(Client& client, std::mt19937_64& random) {
  const int64_t first = Draw(random, kBlock);
  Collect sink;
  const auto got = client.GetFrames(name(), sink, first, kBlock);
  if (!got.ok()) return got.status();
  EXPECT_EQ(sink.values, Rows(first, kBlock).values) << name();
  return absl::OkStatus();
}

absl::Status Voice::Add(Client& client, std::mt19937_64& random) {
  const std::lock_guard<std::mutex> alone(adding_);
  const int64_t first = rows_;
  const Frames rows = Rows(first, 1 + static_cast<int64_t>(random() % 8));
  MemorySource source(rows);
  const auto added = client.Add(name(), source, std::to_string(trainings_) + "-row-" + std::to_string(first));
  if (!added.ok()) return added.status();
  EXPECT_EQ(added->first_id, first) << name();
  rows_ += rows.rows();
  return absl::OkStatus();
}

}  // namespace kith::soak
