// The operations, and what is known after each.
#include "tests/crash/voice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "client/cpp/error.h"

namespace kith::crash {
namespace {

constexpr size_t kKeepGenerations = 2;  // storage.keep_generations

}  // namespace

bool IsInDoubt(const absl::Status& status) { return IsNotReached(status) || ErrorReason(status) == "STORAGE"; }

ByteSource SourceOf(const std::string& bytes) {
  return [&bytes, at = size_t{0}](absl::Span<char> buffer) mutable -> absl::StatusOr<size_t> {
    const size_t count = std::min(buffer.size(), bytes.size() - at);
    std::memcpy(buffer.data(), bytes.data() + at, count);
    at += count;
    return count;
  };
}

Voice::Voice(std::string name, VoiceOptions options, uint64_t seed)
    : name_(std::move(name)), options_(std::move(options)), random_(seed) {}

std::vector<float> Voice::Kept::Values() const {
  std::vector<float> all;
  for (const auto& [first_id, values] : parts) all.insert(all.end(), values.begin(), values.end());
  return all;
}

int64_t Voice::rows() const { return static_cast<int64_t>(Values().size()) / options_.dimension; }

bool Voice::exists() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stored_.has_value();
}

bool Voice::has_former() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stored_ && stored_->generations.size() > 1;
}

std::vector<float> Voice::Values() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stored_ ? stored_->generations.front().Values() : std::vector<float>();
}

std::vector<float> Voice::RandomValues(int64_t rows) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(rows * options_.dimension);
  for (float& value : values) value = uniform(random_);
  return values;
}

Voice::Request Voice::NewRequest(Kind kind, int64_t rows) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {kind, "request-" + std::to_string(random_()), {options_.dimension, RandomValues(rows)}};
}

absl::Status Voice::Failed(const absl::Status& status, Request request) {
  if (IsInDoubt(status)) in_doubt_.push_back(std::move(request));
  return status;
}

Voice::Kept* Voice::FindKept(int64_t generation) {
  if (!stored_) return nullptr;
  for (Kept& kept : stored_->generations) {
    if (kept.number == generation) return &kept;
  }
  return nullptr;
}

void Voice::PutTrained(int64_t generation, std::vector<float> values) {
  if (!stored_) stored_.emplace();
  for (const Kept& kept : stored_->generations) EXPECT_GT(generation, kept.number) << name_;
  auto& generations = stored_->generations;
  generations.insert(generations.begin(), Kept{generation, {{0, std::move(values)}}});
  if (generations.size() > kKeepGenerations) generations.resize(kKeepGenerations);
}

void Voice::MakeCurrent(int64_t generation) {
  Kept* const kept = FindKept(generation);
  ASSERT_NE(kept, nullptr) << name_;
  std::swap(*kept, stored_->current());
}

void Voice::InsertPart(int64_t generation, int64_t first_id, std::vector<float> values) {
  EXPECT_EQ(generation, stored_->current().number) << name_;
  EXPECT_TRUE(stored_->current().parts.emplace(first_id, std::move(values)).second)
      << name_ << ": the id " << first_id << " was given twice";
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
  PutTrained(trained->generation, std::move(values));
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
  stored_->acknowledged = {std::move(request), *added};
  return absl::OkStatus();
}

absl::Status Voice::Rollback(Client& client) {
  const std::lock_guard<std::shared_mutex> turn(turn_);
  if (!has_former()) return absl::NotFoundError("there is no former generation");
  Request request = NewRequest(Kind::kRollback, 0);
  request.generation = stored_->generations[1].number;
  return Roll(client, std::move(request));
}

absl::Status Voice::Roll(Client& client, Request request) {
  const auto rolled = client.Rollback(name_, request.generation);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!rolled.ok()) return Failed(rolled.status(), std::move(request));
  EXPECT_EQ(rolled->generation, request.generation) << name_;
  MakeCurrent(request.generation);
  return absl::OkStatus();
}

absl::Status Voice::SetPinned(Client& client, bool pinned) {
  const std::lock_guard<std::shared_mutex> turn(turn_);
  Request request = NewRequest(Kind::kPin, 0);
  request.pinned = pinned;
  return Pin(client, std::move(request));
}

absl::Status Voice::Pin(Client& client, Request request) {
  const auto changed = request.pinned ? client.Pin(name_) : client.Unpin(name_);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!changed.ok()) return Failed(changed.status(), std::move(request));
  EXPECT_EQ(changed->pinned, request.pinned) << name_;
  stored_->pinned = request.pinned;
  return absl::OkStatus();
}

absl::Status Voice::Delete(Client& client) {
  const std::lock_guard<std::shared_mutex> turn(turn_);
  Request request = NewRequest(Kind::kDelete, 0);
  const absl::Status deleted = client.Delete(name_);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!deleted.ok()) return Failed(deleted, std::move(request));
  stored_.reset();
  return absl::OkStatus();
}

absl::Status Voice::Restore(Client& client, const std::string& tar) {
  const std::lock_guard<std::shared_mutex> turn(turn_);
  Request request = NewRequest(Kind::kRestore, 0);
  request.tar = tar;
  return PutBack(client, std::move(request));
}

absl::Status Voice::PutBack(Client& client, Request request) {
  RestoreOptions options;
  options.replace = true;
  const auto restored = client.Restore(SourceOf(request.tar), options);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!restored.ok()) return Failed(restored.status(), std::move(request));
  stored_ = remembered_;
  return absl::OkStatus();
}

}  // namespace kith::crash
