// A data folder of its own for each test, and what the tests put in.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/storage/sqlite.h"
#include "server/storage/store.h"

namespace kith::storage {

namespace fs = std::filesystem;

inline retrieval::Frames MakeFrames(int64_t rows, int dimension, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  retrieval::Frames frames;
  frames.dimension = dimension;
  frames.values.resize(static_cast<size_t>(rows) * dimension);
  for (float& value : frames.values) value = uniform(random);
  return frames;
}

inline std::vector<float> Joined(std::vector<float> first, const std::vector<float>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

inline retrieval::Recipe SomeRecipe() {
  retrieval::Recipe recipe;
  recipe.factory = "IVF2,Flat";
  recipe.metric = retrieval::Metric::kCosine;
  recipe.nprobe = 2;
  recipe.seed = 7;
  return recipe;
}

inline retrieval::BuildReport SomeReport() {
  retrieval::BuildReport report;
  report.factory = "IVF2,Flat";
  report.nlist = 2;
  report.nprobe = 2;
  report.recall_at_8 = 0.987654321;
  return report;
}

class StorageTest : public ::testing::Test {
 protected:
  StorageTest() : folder_(fs::temp_directory_path() / ("kith-storage-" + RandomId())) { fs::create_directory(folder_); }
  ~StorageTest() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  std::string data_dir() const { return (folder_ / "data").string(); }

  // Opens the data folder; the former store has to be gone.
  void Open() {
    store_.reset();
    StoreOptions options;
    options.now = [this] { return now_; };
    options.keep_generations = keep_generations_;
    auto store = Store::Open(data_dir(), std::move(options));
    if (!store.ok()) throw std::runtime_error(store.status().ToString());
    store_ = *std::move(store);
  }

  absl::StatusOr<CommitRecord> Train(const std::string& name, retrieval::FrameView frames, const std::string& index,
                                     const std::optional<Request>& request = std::nullopt) {
    return store_->CommitGeneration(
        name, SomeRecipe(), SomeReport(), frames, [&](ByteSink sink) { return sink(absl::MakeConstSpan(index)); },
        nullptr, request);
  }

  absl::StatusOr<AddRecord> Append(const std::string& name, int64_t generation, retrieval::FrameView frames,
                                   const std::optional<Request>& request = std::nullopt) {
    return store_->Append({Addition{name, generation, frames, request}}).front();
  }

  struct Loaded {
    LoadedExperiment experiment;
    std::string index;
  };
  absl::StatusOr<Loaded> Load(const std::string& name, std::optional<int64_t> generation = std::nullopt) {
    Loaded loaded;
    const auto read_index = [&](const GenerationInfo&, retrieval::FrameView, ByteSource source) -> absl::Status {
      char piece[1000];
      for (;;) {
        const absl::StatusOr<size_t> count = source(absl::MakeSpan(piece));
        if (!count.ok()) return count.status();
        if (*count == 0) return absl::OkStatus();
        loaded.index.append(piece, *count);
      }
    };
    auto experiment = store_->Load(name, generation, read_index);
    if (!experiment.ok()) return experiment.status();
    loaded.experiment = *std::move(experiment);
    return loaded;
  }

  // Runs statements on the catalogue, beside the open store or without one.
  void Execute(const std::string& sql) {
    auto database = Database::Open(catalogue_path(), Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(database.ok()) << database.status();
    const absl::Status status = database->Execute(sql);
    ASSERT_TRUE(status.ok()) << status;
  }

  std::vector<std::string> Snapshots() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(data_dir() + "/snapshots")) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  // The folder of the only snapshot.
  std::string Snapshot() const {
    const std::vector<std::string> names = Snapshots();
    EXPECT_EQ(names.size(), 1u);
    return names.empty() ? std::string() : data_dir() + "/snapshots/" + names.front();
  }

  std::string catalogue_path() const { return data_dir() + "/catalogue.sqlite"; }

  fs::path folder_;
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  int keep_generations_ = 2;
  std::unique_ptr<Store> store_;
};

MATCHER_P2(FailsWith, code, reason, "") {
  return arg.status().code() == code && ReasonOf(arg.status()) == ReasonName(reason);
}

MATCHER_P3(FailsSaying, code, reason, words, "") {
  return arg.status().code() == code && ReasonOf(arg.status()) == ReasonName(reason) &&
         std::string(arg.status().message()).find(words) != std::string::npos;
}

// For gtest's messages.
template <class T>
void PrintTo(const absl::StatusOr<T>& value, std::ostream* out) {
  *out << value.status();
}

// A plain status made to match like a StatusOr.
struct StatusOnly {
  absl::Status value;
  const absl::Status& status() const { return value; }
};
inline void PrintTo(const StatusOnly& status, std::ostream* out) { *out << status.value; }

}  // namespace kith::storage
