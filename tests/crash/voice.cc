#include "tests/crash/voice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "client/cpp/error.h"

namespace kith::crash {
namespace {

// Keeps what a GetFrames sends.
class MemorySink final : public FramesSink {
 public:
  absl::Status Begin(const FramesInfo&) override {
    values_.clear();
    return absl::OkStatus();
  }
  absl::Status Write(FramesView rows) override {
    values_.insert(values_.end(), rows.values.begin(), rows.values.end());
    return absl::OkStatus();
  }
  std::vector<float> Take() { return std::move(values_); }

 private:
  std::vector<float> values_;
};

double SquaredDistance(const float* a, const float* b, int dimension) {
  double sum = 0;
  for (int i = 0; i < dimension; ++i) sum += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  return sum;
}

}  // namespace

bool IsInDoubt(const absl::Status& status) { return IsNotReached(status) || ErrorReason(status) == "STORAGE"; }

Voice::Voice(std::string name, VoiceOptions options, uint64_t seed)
    : name_(std::move(name)), options_(std::move(options)), random_(seed) {}

int64_t Voice::rows() const { return static_cast<int64_t>(Values().size()) / options_.dimension; }

bool Voice::exists() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stored_.has_value();
}

std::vector<float> Voice::Values() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<float> all;
  if (!stored_) return all;
  for (const auto& [first_id, values] : stored_->parts) all.insert(all.end(), values.begin(), values.end());
  return all;
}

std::vector<float> Voice::RandomValues(int64_t rows) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(rows * options_.dimension);
  for (float& value : values) value = uniform(random_);
  return values;
}

Voice::Request Voice::NewRequest(Kind kind, int64_t rows) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {kind, "request-" + std::to_string(random_()), {options_.dimension, RandomValues(rows)}, std::nullopt, false};
}

absl::Status Voice::Failed(const absl::Status& status, Request request) {
  if (IsInDoubt(status)) in_doubt_.push_back(std::move(request));
  return status;
}

absl::StatusOr<Experiment> Voice::SendTraining(Client& client, const Request& request) {
  TrainOptions options;
  options.request_id = request.id;
  if (request.kind == Kind::kRetrain) return client.Retrain(name_, options);
  options.recipe = Recipe();
  options.recipe->factory = options_.factory;
  options.recipe->nprobe = options_.nprobe;
  MemorySource source(request.frames);
  return client.Train(name_, source, options);
}

absl::Status Voice::TakeTrained(const absl::StatusOr<Experiment>& trained, Request request) {
  std::vector<float> values = request.kind == Kind::kRetrain ? Values() : request.frames.values;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!trained.ok()) return Failed(trained.status(), std::move(request));
  if (stored_) {
    EXPECT_GT(trained->generation, stored_->generation) << name_;
  }
  stored_ = Stored{trained->generation, {{0, std::move(values)}}};
  return absl::OkStatus();
}

absl::Status Voice::Train(Client& client) {
  const std::lock_guard<std::shared_mutex> turn(turn_);
  Request request = NewRequest(Kind::kTrain, options_.training_rows);
  const auto trained = SendTraining(client, request);
  return TakeTrained(trained, std::move(request));
}

absl::Status Voice::Retrain(Client& client) {
  const std::lock_guard<std::shared_mutex> turn(turn_);
  Request request = NewRequest(Kind::kRetrain, 0);
  const auto trained = SendTraining(client, request);
  return TakeTrained(trained, std::move(request));
}

absl::Status Voice::Add(Client& client, int64_t rows) {
  const std::shared_lock<std::shared_mutex> turn(turn_);
  Request request = NewRequest(Kind::kAdd, rows);
  MemorySource source(request.frames);
  const auto added = client.Add(name_, source, request.id);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!added.ok()) return Failed(added.status(), std::move(request));
  EXPECT_EQ(added->rows, rows) << name_;
  InsertPart(added->generation, added->first_id, request.frames.values);
  acknowledged_ = {std::move(request), *added};
  return absl::OkStatus();
}

absl::Status Voice::Delete(Client& client) {
  const std::lock_guard<std::shared_mutex> turn(turn_);
  Request request = NewRequest(Kind::kDelete, 0);
  const absl::Status deleted = client.Delete(name_);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!deleted.ok()) return Failed(deleted, std::move(request));
  stored_.reset();
  acknowledged_.reset();
  return absl::OkStatus();
}

void Voice::InsertPart(int64_t generation, int64_t first_id, std::vector<float> values) {
  EXPECT_EQ(generation, stored_->generation) << name_;
  EXPECT_TRUE(stored_->parts.emplace(first_id, std::move(values)).second)
      << name_ << ": the id " << first_id << " was given twice";
}

std::optional<Voice::Held> Voice::Fetch(Client& client) {
  MemorySink sink;
  const auto info = client.GetFrames(name_, sink);
  if (info.ok()) return Held{info->generation, sink.Take()};
  EXPECT_EQ(ErrorReason(info.status()), "EXPERIMENT_NOT_FOUND") << name_ << ": " << info.status();
  return std::nullopt;
}

// True where a training in doubt turns out to be done.
bool Voice::SettleTraining(const Held& held) {
  for (Request& request : in_doubt_) {
    if (request.kind != Kind::kTrain && request.kind != Kind::kRetrain) continue;
    if (stored_ && held.generation <= stored_->generation) continue;
    std::vector<float> values = request.kind == Kind::kRetrain ? Values() : request.frames.values;
    if (held.values != values) continue;
    request.done = true;
    stored_ = Stored{held.generation, {{0, std::move(values)}}};
    return true;
  }
  return false;
}

// Walks over what is held: each piece is one that was acknowledged, or the whole of one in doubt.
void Voice::SettleAdditions(const Held& held) {
  ASSERT_EQ(held.generation, stored_->generation) << name_;
  const auto starts_here = [&](const std::vector<float>& values, size_t at) {
    return values.size() <= held.values.size() - at &&
           std::equal(values.begin(), values.end(), held.values.begin() + static_cast<std::ptrdiff_t>(at));
  };
  size_t acknowledged = 0;
  size_t at = 0;
  while (at < held.values.size()) {
    const auto id = static_cast<int64_t>(at) / options_.dimension;
    auto part = stored_->parts.find(id);
    if (part != stored_->parts.end()) {
      ASSERT_TRUE(starts_here(part->second, at)) << name_ << ": the rows acknowledged as " << id << " on are others";
      ++acknowledged;
    } else {
      const auto request = std::find_if(in_doubt_.begin(), in_doubt_.end(), [&](const Request& candidate) {
        return candidate.kind == Kind::kAdd && !candidate.done && starts_here(candidate.frames.values, at);
      });
      ASSERT_NE(request, in_doubt_.end()) << name_ << ": nobody added the rows from " << id << " on as they are";
      request->done = true;
      request->first_id = id;
      part = stored_->parts.emplace(id, request->frames.values).first;
      ++acknowledged;
    }
    at += part->second.size();
  }
  EXPECT_EQ(acknowledged, stored_->parts.size())
      << name_ << ": acknowledged rows are missing; there are " << held.values.size() / options_.dimension;
}

void Voice::Settle(const std::optional<Held>& held) {
  if (held) {
    if (SettleTraining(*held)) return;
    ASSERT_TRUE(stored_.has_value()) << name_ << " was never acknowledged, nor is it what was in doubt";
    return SettleAdditions(*held);
  }
  const bool may_be_deleted = std::any_of(in_doubt_.begin(), in_doubt_.end(),
                                          [](const Request& request) { return request.kind == Kind::kDelete; });
  ASSERT_TRUE(!stored_ || may_be_deleted) << name_ << " is gone";
  stored_.reset();
  acknowledged_.reset();
}

void Voice::RepeatAddition(Client& client, const Request& request) {
  if (!stored_) return;
  const int64_t total = rows();
  MemorySource source(request.frames);
  const auto added = client.Add(name_, source, request.id);
  ASSERT_TRUE(added.ok()) << name_ << ": " << added.status();
  EXPECT_EQ(added->rows, request.frames.rows());
  EXPECT_EQ(added->first_id, request.first_id.value_or(total)) << name_;
  if (!request.done) InsertPart(added->generation, added->first_id, request.frames.values);
}

void Voice::Repeat(Client& client, const Request& request) {
  if (request.kind == Kind::kDelete) return;
  if (request.kind == Kind::kAdd) return RepeatAddition(client, request);
  if (request.kind == Kind::kRetrain && !stored_) return;
  const auto trained = SendTraining(client, request);
  ASSERT_TRUE(trained.ok()) << name_ << ": " << trained.status();
  if (request.done) {
    EXPECT_EQ(trained->generation, stored_->generation) << name_ << " was trained twice by one request";
  } else {
    EXPECT_TRUE(TakeTrained(trained, request).ok());
  }
}

void Voice::RepeatAcknowledged(Client& client) {
  if (!acknowledged_) return;
  const auto& [request, answer] = *acknowledged_;
  MemorySource source(request.frames);
  const auto added = client.Add(name_, source, request.id);
  ASSERT_TRUE(added.ok()) << name_ << ": " << added.status();
  EXPECT_EQ(added->first_id, answer.first_id) << name_;
  EXPECT_EQ(added->rows, answer.rows) << name_;
  EXPECT_EQ(added->total_rows, answer.total_rows) << name_;
  EXPECT_EQ(added->generation, answer.generation) << name_;
}

void Voice::Check(Client& client) {
  Settle(Fetch(client));
  if (::testing::Test::HasFailure()) return;
  const std::vector<Request> in_doubt = std::exchange(in_doubt_, {});
  for (const Request& request : in_doubt) Repeat(client, request);
  RepeatAcknowledged(client);
  const auto held = Fetch(client);
  ASSERT_EQ(held.has_value(), stored_.has_value()) << name_;
  if (!held) return;
  EXPECT_EQ(held->generation, stored_->generation) << name_;
  EXPECT_TRUE(held->values == Values()) << name_ << " holds other rows than those acknowledged";
  CheckSearch(client);
}

void Voice::CheckSearch(Client& client) {
  if (!exists()) return;
  const std::vector<float> stored = Values();
  const int64_t count = rows();
  Frames queries{options_.dimension, RandomValues(3)};
  const int64_t some_row = static_cast<int64_t>(random_() % count) * options_.dimension;
  queries.values.insert(queries.values.end(), stored.begin() + some_row, stored.begin() + some_row + queries.dimension);
  const auto found = client.Search(name_, queries);
  ASSERT_TRUE(found.ok()) << name_ << ": " << found.status();
  EXPECT_EQ(found->generation, stored_->generation) << name_;
  for (int64_t query = 0; query < queries.rows(); ++query) {
    const float* row = queries.values.data() + query * queries.dimension;
    std::vector<double> distances(count);
    for (int64_t id = 0; id < count; ++id) {
      distances[id] = SquaredDistance(row, stored.data() + id * queries.dimension, queries.dimension);
    }
    std::vector<double> sorted = distances;
    std::sort(sorted.begin(), sorted.end());
    std::set<int64_t> ids;
    for (int64_t rank = 0; rank < std::min<int64_t>(found->k, count); ++rank) {
      const int64_t id = found->ids[query * found->k + rank];
      ASSERT_TRUE(id >= 0 && id < count && ids.insert(id).second) << name_ << ": id " << id << " at rank " << rank;
      EXPECT_NEAR(distances[id], sorted[rank], 1e-4 * queries.dimension) << name_ << " at rank " << rank;
      EXPECT_NEAR(found->distances[query * found->k + rank], distances[id], 1e-4 * queries.dimension) << name_;
    }
  }
}

}  // namespace kith::crash
