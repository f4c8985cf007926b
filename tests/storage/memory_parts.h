// A catalogue and a snapshot store in memory, as far as a Store needs them to train, add, load and delete.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/storage/catalogue.h"
#include "server/storage/snapshot_store.h"

namespace kith::storage {

struct MemoryData {
  std::map<std::string, StoredExperiment> experiments;
  std::map<int64_t, std::vector<std::pair<AdditionEntry, std::vector<float>>>> additions;  // by generation
  std::map<std::string, std::pair<retrieval::Frames, std::string>> snapshots;              // frames and index
};

inline absl::Status NotInMemory() { return Error(Reason::kInternal, "this fake cannot do that"); }

class MemoryView : public CatalogueView {
 public:
  explicit MemoryView(MemoryData data) : data_(std::move(data)) {}

  absl::StatusOr<std::vector<StoredExperiment>> List() const override { return NotInMemory(); }
  absl::StatusOr<StoredExperiment> Find(std::string_view name) const override {
    const auto found = data_.experiments.find(std::string(name));
    if (found == data_.experiments.end()) return NoExperiment(name);
    return found->second;
  }
  absl::StatusOr<std::vector<AdditionEntry>> Additions(const StoredGeneration& generation) const override {
    std::vector<AdditionEntry> entries;
    const auto found = data_.additions.find(generation.id);
    if (found == data_.additions.end()) return entries;
    for (const auto& [entry, values] : found->second) entries.push_back(entry);
    return entries;
  }
  absl::Status ReadAddition(const AdditionEntry& entry, absl::Span<float> out) const override {
    for (const auto& [generation, added] : data_.additions) {
      for (const auto& [other, values] : added) {
        if (other.id == entry.id) std::copy(values.begin(), values.end(), out.begin());
      }
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<RequestEntry>> Requests(std::string_view) const override { return NotInMemory(); }
  std::vector<absl::Status> Faults() const override { return {}; }
  absl::Status CopyTo(const std::string&) const override { return NotInMemory(); }

 private:
  const MemoryData data_;
};

// Keeps the newest generation alone.
class MemoryCatalogue : public Catalogue {
 public:
  explicit MemoryCatalogue(std::shared_ptr<MemoryData> data) : data_(std::move(data)) {}

  absl::StatusOr<std::unique_ptr<CatalogueView>> View() const override { return std::make_unique<MemoryView>(*data_); }
  absl::StatusOr<std::vector<StoredExperiment>> List() const override {
    std::vector<StoredExperiment> all;
    for (const auto& [name, experiment] : data_->experiments) all.push_back(experiment);
    return all;
  }
  absl::StatusOr<std::optional<StoredExperiment>> Find(std::string_view name) const override {
    const auto found = data_->experiments.find(std::string(name));
    if (found == data_->experiments.end()) return std::nullopt;
    return found->second;
  }
  absl::StatusOr<std::optional<std::set<std::string>>> Snapshots() const override {
    std::set<std::string> names;
    for (const auto& [name, experiment] : data_->experiments) {
      for (const std::string& snapshot : experiment.Snapshots()) names.insert(snapshot);
    }
    return names;
  }
  absl::StatusOr<Committed> Commit(std::string_view name, const GenerationInfo& info, const SnapshotEntry& snapshot,
                                   const std::optional<Request>&, int, absl::Time) override {
    StoredExperiment& experiment = data_->experiments[std::string(name)];
    std::vector<std::string> removed = experiment.Snapshots();
    experiment.name = std::string(name);
    experiment.current = info.number;
    StoredGeneration generation;
    generation.id = ++last_id_;
    generation.snapshot = snapshot;
    generation.record = {info, info.rows, info.created, /*current=*/true, absl::OkStatus()};
    experiment.generations = {generation};
    return Committed{{CurrentRecordOf(experiment), false}, std::move(removed)};
  }
  std::vector<absl::StatusOr<AddRecord>> Append(absl::Span<const PreparedAddition* const> additions,
                                                absl::Time) override {
    std::vector<absl::StatusOr<AddRecord>> answers;
    for (const PreparedAddition* prepared : additions) {
      const Addition& addition = *prepared->addition;
      StoredGeneration& generation = data_->experiments.at(addition.name).generations.front();
      const AdditionEntry entry = {++last_id_, generation.record.total_rows, addition.frames.rows};
      const auto values = addition.frames.values();
      data_->additions[generation.id].push_back({entry, {values.begin(), values.end()}});
      generation.record.total_rows += entry.rows;
      answers.push_back(AddRecord{entry.first_id, entry.rows, generation.record.total_rows, addition.generation});
    }
    return answers;
  }
  absl::StatusOr<ExperimentRecord> Rollback(std::string_view, std::optional<int64_t>, absl::Time) override {
    return NotInMemory();
  }
  absl::StatusOr<Changed> Fold(std::string_view, const StoredGeneration&, int64_t, const SnapshotEntry&) override {
    return NotInMemory();
  }
  absl::Status SetPinned(std::string_view, bool) override { return NotInMemory(); }
  absl::Status Forget(const StoredExperiment&, const std::set<int64_t>&, absl::Time) override { return NotInMemory(); }
  absl::StatusOr<Changed> Restore(const CatalogueView&, const StoredExperiment&, const std::vector<SnapshotEntry>&,
                                  bool) override {
    return NotInMemory();
  }
  absl::StatusOr<std::vector<std::string>> Delete(std::string_view name) override {
    const auto found = data_->experiments.find(std::string(name));
    if (found == data_->experiments.end()) return NoExperiment(name);
    std::vector<std::string> removed = found->second.Snapshots();
    data_->experiments.erase(found);
    return removed;
  }
  absl::StatusOr<std::optional<RequestRecord>> FindRequest(std::string_view, std::string_view,
                                                           absl::Time) const override {
    return std::nullopt;
  }
  absl::StatusOr<std::optional<RequestRecord>> FindAnswer(std::string_view, RequestKind, const std::optional<Request>&,
                                                          absl::Time) const override {
    return std::nullopt;
  }
  absl::StatusOr<bool> Shrink() override { return false; }

 private:
  const std::shared_ptr<MemoryData> data_;
  int64_t last_id_ = 0;
};

class MemorySnapshot : public Snapshot {
 public:
  MemorySnapshot(retrieval::Frames frames, std::string index) : frames_(std::move(frames)), index_(std::move(index)) {}

  absl::StatusOr<retrieval::Frames> ReadFrames(const GenerationInfo&, int64_t) override { return frames_; }
  absl::Status ReadIndex(absl::FunctionRef<absl::Status(ByteSource)> read) override {
    std::string_view rest = index_;
    return read([&](absl::Span<char> out) -> absl::StatusOr<size_t> {
      const size_t count = rest.copy(out.data(), out.size());
      rest.remove_prefix(count);
      return count;
    });
  }
  absl::Status ReadFiles(absl::FunctionRef<absl::Status(std::string_view, int64_t, ByteSource)>) override {
    return NotInMemory();
  }

 private:
  const retrieval::Frames frames_;
  const std::string index_;
};

class MemorySnapshots : public SnapshotStore {
 public:
  explicit MemorySnapshots(std::shared_ptr<MemoryData> data) : data_(std::move(data)) {}

  absl::StatusOr<bool> HasSnapshots() const override { return !data_->snapshots.empty(); }
  absl::Status RemoveUnknown(const std::set<std::string>& known) const override {
    for (auto it = data_->snapshots.begin(); it != data_->snapshots.end();) {
      it = known.count(it->first) > 0 ? std::next(it) : data_->snapshots.erase(it);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<SnapshotEntry> Write(std::string_view, const GenerationInfo&, retrieval::FrameView frames,
                                      absl::FunctionRef<absl::Status(ByteSink)> write_index,
                                      const Progress&) const override {
    std::string index;
    const absl::Status status = write_index([&](absl::Span<const char> bytes) {
      index.append(bytes.data(), bytes.size());
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    SnapshotEntry entry;
    entry.name = RandomId();
    retrieval::Frames copy;
    copy.dimension = frames.dimension;
    copy.values.assign(frames.values().begin(), frames.values().end());
    data_->snapshots[entry.name] = {std::move(copy), std::move(index)};
    return entry;
  }
  absl::StatusOr<SnapshotEntry> Copy(const SnapshotEntry&, Snapshot&) const override { return NotInMemory(); }
  absl::StatusOr<std::unique_ptr<Snapshot>> Read(const SnapshotEntry& entry) const override {
    const auto found = data_->snapshots.find(entry.name);
    if (found == data_->snapshots.end()) return Error(absl::StatusCode::kDataLoss, Reason::kStorage, "it is gone");
    return std::make_unique<MemorySnapshot>(found->second.first, found->second.second);
  }
  void Remove(const std::string& snapshot) const override { data_->snapshots.erase(snapshot); }

 private:
  const std::shared_ptr<MemoryData> data_;
};

}  // namespace kith::storage
