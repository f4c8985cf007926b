// What a server holds, against what it acknowledged.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "client/cpp/error.h"
#include "tests/crash/voice.h"

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

std::optional<Voice::Held> Voice::Fetch(Client& client) {
  MemorySink sink;
  const auto info = client.GetFrames(name_, sink);
  if (info.ok()) return Held{info->generation, sink.Take()};
  EXPECT_EQ(ErrorReason(info.status()), "EXPERIMENT_NOT_FOUND") << name_ << ": " << info.status();
  return std::nullopt;
}

// True where this request in doubt turns out to be done: what is held is what it makes.
bool Voice::SettleChange(const Held& held, Request* request) {
  switch (request->kind) {
    case Kind::kTrain:
    case Kind::kRetrain: {
      if (FindKept(held.generation) != nullptr) return false;
      std::vector<float> values = request->kind == Kind::kRetrain ? Values() : request->frames.values;
      if (held.values != values) return false;
      PutTrained(held.generation, std::move(values));
      return true;
    }
    case Kind::kRollback:
      if (held.generation != request->generation) return false;
      MakeCurrent(request->generation);
      return true;
    case Kind::kRestore:
      if (remembered_->current().number != held.generation || remembered_->current().Values() != held.values) {
        return false;
      }
      stored_ = remembered_;
      return true;
    default:
      return false;
  }
}

// Walks over what is held: each piece is one that was acknowledged, or the whole of one in doubt.
void Voice::SettleAdditions(const Held& held) {
  ASSERT_EQ(held.generation, stored_->current().number) << name_;
  auto& parts = stored_->current().parts;
  const auto starts_here = [&](const std::vector<float>& values, size_t at) {
    return values.size() <= held.values.size() - at &&
           std::equal(values.begin(), values.end(), held.values.begin() + static_cast<std::ptrdiff_t>(at));
  };
  size_t acknowledged = 0;
  size_t at = 0;
  while (at < held.values.size()) {
    const auto id = static_cast<int64_t>(at) / options_.dimension;
    auto part = parts.find(id);
    if (part != parts.end()) {
      ASSERT_TRUE(starts_here(part->second, at)) << name_ << ": the rows acknowledged as " << id << " on are others";
      ++acknowledged;
    } else {
      const auto request = std::find_if(in_doubt_.begin(), in_doubt_.end(), [&](const Request& candidate) {
        return candidate.kind == Kind::kAdd && !candidate.done && starts_here(candidate.frames.values, at);
      });
      ASSERT_NE(request, in_doubt_.end()) << name_ << ": nobody added the rows from " << id << " on as they are";
      request->done = true;
      request->first_id = id;
      part = parts.emplace(id, request->frames.values).first;
      ++acknowledged;
    }
    at += part->second.size();
  }
  EXPECT_EQ(acknowledged, parts.size()) << name_ << ": acknowledged rows are missing; there are "
                                        << held.values.size() / options_.dimension;
}

void Voice::Settle(const std::optional<Held>& held) {
  if (held) {
    for (Request& request : in_doubt_) {
      request.done = SettleChange(*held, &request);
      if (request.done) return;
    }
    ASSERT_TRUE(stored_.has_value()) << name_ << " was never acknowledged, nor is it what was in doubt";
    return SettleAdditions(*held);
  }
  const bool may_be_deleted = std::any_of(in_doubt_.begin(), in_doubt_.end(),
                                          [](const Request& request) { return request.kind == Kind::kDelete; });
  ASSERT_TRUE(!stored_ || may_be_deleted) << name_ << " is gone";
  stored_.reset();
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
  if (request.kind == Kind::kRestore) {
    const absl::Status restored = PutBack(client, request);
    EXPECT_TRUE(restored.ok()) << name_ << ": " << restored;
    return;
  }
  if (request.kind != Kind::kTrain && !stored_) return;
  if (request.kind == Kind::kRollback) {
    if (FindKept(request.generation) == nullptr) return;  // a training in doubt was repeated before
    const absl::Status rolled = Roll(client, request);
    EXPECT_TRUE(rolled.ok()) << name_ << ": " << rolled;
    return;
  }
  if (request.kind == Kind::kPin) {
    const absl::Status pinned = Pin(client, request);
    EXPECT_TRUE(pinned.ok()) << name_ << ": " << pinned;
    return;
  }
  const auto trained = SendTraining(client, request);
  ASSERT_TRUE(trained.ok()) << name_ << ": " << trained.status();
  if (request.done) {
    EXPECT_EQ(trained->generation, stored_->current().number) << name_ << " was trained twice by one request";
  } else {
    EXPECT_TRUE(TakeTrained(trained, request).ok());
  }
}

void Voice::RepeatAcknowledged(Client& client) {
  if (!stored_ || !stored_->acknowledged) return;
  const auto& [request, answer] = *stored_->acknowledged;
  MemorySource source(request.frames);
  const auto added = client.Add(name_, source, request.id);
  ASSERT_TRUE(added.ok()) << name_ << ": " << added.status();
  EXPECT_EQ(added->first_id, answer.first_id) << name_;
  EXPECT_EQ(added->rows, answer.rows) << name_;
  EXPECT_EQ(added->total_rows, answer.total_rows) << name_;
  EXPECT_EQ(added->generation, answer.generation) << name_;
}

void Voice::CheckGenerations(Client& client) {
  const auto generations = client.Generations(name_);
  ASSERT_TRUE(generations.ok()) << name_ << ": " << generations.status();
  ASSERT_EQ(generations->size(), stored_->generations.size()) << name_;
  for (size_t i = 0; i < generations->size(); ++i) {
    const Generation& told = (*generations)[i];
    const Kept& kept = stored_->generations[i];
    EXPECT_EQ(told.number, kept.number) << name_;
    EXPECT_EQ(told.rows * options_.dimension, static_cast<int64_t>(kept.Values().size())) << name_;
    EXPECT_EQ(told.message, "") << name_;
    EXPECT_EQ(told.current, i == 0) << name_;
  }
}

void Voice::CheckPin(Client& client, const std::vector<Request>& in_doubt) {
  const auto shown = client.Get(name_);
  ASSERT_TRUE(shown.ok()) << name_ << ": " << shown.status();
  const bool open = std::any_of(in_doubt.begin(), in_doubt.end(), [](const Request& request) {
    return request.kind == Kind::kPin || request.kind == Kind::kRestore;
  });
  if (!open) {
    EXPECT_EQ(shown->pinned, stored_->pinned) << name_;
  }
}

void Voice::Check(Client& client, Former former) {
  Settle(Fetch(client));
  if (::testing::Test::HasFailure()) return;
  const std::vector<Request> in_doubt = std::exchange(in_doubt_, {});
  if (stored_) CheckPin(client, in_doubt);
  for (const Request& request : in_doubt) Repeat(client, request);
  RepeatAcknowledged(client);
  const auto held = Fetch(client);
  ASSERT_EQ(held.has_value(), stored_.has_value()) << name_;
  if (!held) return;
  EXPECT_EQ(held->generation, stored_->current().number) << name_;
  EXPECT_TRUE(held->values == Values()) << name_ << " holds other rows than those acknowledged";
  if (former == Former::kSound) CheckGenerations(client);
  CheckPin(client, {});
  CheckSearch(client);
}

void Voice::CheckDegraded(Client& client) {
  const auto held = Fetch(client);
  ASSERT_TRUE(held.has_value()) << name_;
  const Kept* const kept = FindKept(held->generation);
  ASSERT_NE(kept, nullptr) << name_ << " answers with generation " << held->generation;
  EXPECT_TRUE(held->values == kept->Values()) << name_ << " holds other rows than those of that generation";
  const Frames queries = Queries(held->values);
  const auto found = client.Search(name_, queries);
  ASSERT_TRUE(found.ok()) << name_ << ": " << found.status();
  EXPECT_EQ(found->generation, kept->number) << name_;
  ExpectFound(*found, queries, held->values);
  MemorySource source(queries);
  EXPECT_TRUE(absl::IsDataLoss(client.Add(name_, source).status())) << name_;
}

void Voice::CheckRestored(Client& client, int64_t rows) {
  const auto held = Fetch(client);
  ASSERT_TRUE(held.has_value()) << name_;
  EXPECT_EQ(held->generation, stored_->current().number) << name_;
  const auto count = static_cast<int64_t>(held->values.size()) / options_.dimension;
  EXPECT_GE(count, rows) << name_ << ": the backup lacks what was acknowledged before";
  const std::vector<float> all = Values();
  ASSERT_LE(held->values.size(), all.size()) << name_;
  EXPECT_TRUE(std::equal(held->values.begin(), held->values.end(), all.begin())) << name_;
  const auto& parts = stored_->current().parts;
  EXPECT_TRUE(held->values.size() == all.size() || parts.count(count) > 0) << name_ << ": half an addition";
  const Frames queries = Queries(held->values);
  const auto found = client.Search(name_, queries);
  ASSERT_TRUE(found.ok()) << name_ << ": " << found.status();
  ExpectFound(*found, queries, held->values);
}

void Voice::CheckSearch(Client& client) {
  if (!exists()) return;
  const std::vector<float> stored = Values();
  const Frames queries = Queries(stored);
  const auto found = client.Search(name_, queries);
  ASSERT_TRUE(found.ok()) << name_ << ": " << found.status();
  EXPECT_EQ(found->generation, stored_->current().number) << name_;
  ExpectFound(*found, queries, stored);
}

// Some that are near nothing, and one that is stored.
Frames Voice::Queries(const std::vector<float>& stored) {
  Frames queries{options_.dimension, RandomValues(3)};
  const auto count = static_cast<int64_t>(stored.size()) / options_.dimension;
  const auto row = stored.begin() + static_cast<int64_t>(random_() % count) * options_.dimension;
  queries.values.insert(queries.values.end(), row, row + options_.dimension);
  return queries;
}

void Voice::ExpectFound(const SearchResult& found, const Frames& queries, const std::vector<float>& stored) const {
  const auto count = static_cast<int64_t>(stored.size()) / options_.dimension;
  for (int64_t query = 0; query < queries.rows(); ++query) {
    const float* row = queries.values.data() + query * queries.dimension;
    std::vector<double> distances(count);
    for (int64_t id = 0; id < count; ++id) {
      distances[id] = SquaredDistance(row, stored.data() + id * queries.dimension, queries.dimension);
    }
    std::vector<double> sorted = distances;
    std::sort(sorted.begin(), sorted.end());
    std::set<int64_t> ids;
    for (int64_t rank = 0; rank < std::min<int64_t>(found.k, count); ++rank) {
      const int64_t id = found.ids[query * found.k + rank];
      ASSERT_TRUE(id >= 0 && id < count && ids.insert(id).second) << name_ << ": id " << id << " at rank " << rank;
      EXPECT_NEAR(distances[id], sorted[rank], 1e-4 * queries.dimension) << name_ << " at rank " << rank;
      EXPECT_NEAR(found.distances[query * found.k + rank], distances[id], 1e-4 * queries.dimension) << name_;
    }
  }
}

}  // namespace kith::crash
