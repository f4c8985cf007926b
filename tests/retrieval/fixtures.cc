#include "tests/retrieval/fixtures.h"

#include <faiss/IndexIVF.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <numeric>

#include "server/retrieval/platform.h"

namespace kith::retrieval {
namespace {

// As in a worker of the server.
class WorkerSettings : public ::testing::Environment {
 public:
  void SetUp() override {
    InitializeFaiss();
    SetThreadsOfThisThread(1);
  }
};
const auto* const kWorkerSettings = ::testing::AddGlobalTestEnvironment(new WorkerSettings);

[[noreturn]] void Die(const absl::Status& status) {
  std::cerr << "the test itself is wrong: " << status << std::endl;
  std::abort();
}

double Score(const float* a, const float* b, int dimension, Metric metric) {
  double score = 0;
  for (int j = 0; j < dimension; ++j) {
    const double x = a[j];
    const double y = b[j];
    score += metric == Metric::kL2 ? (x - y) * (x - y) : x * y;
  }
  return score;
}

void SetFields(faiss::Index* index, const SearchParams& params) {
  if (auto* refined = dynamic_cast<faiss::IndexRefine*>(index)) {
    refined->k_factor = params.k_factor;
    SetFields(refined->base_index, params);
  } else if (auto* transformed = dynamic_cast<faiss::IndexPreTransform*>(index)) {
    SetFields(transformed->index, params);
  } else if (auto* lists = dynamic_cast<faiss::IndexIVF*>(index)) {
    lists->nprobe = static_cast<size_t>(params.nprobe);
  }
}

}  // namespace

Recipe RecipeOf(const std::string& name_or_factory, Metric metric) {
  Recipe recipe;
  recipe.metric = metric;
  const bool named = name_or_factory == "auto" || name_or_factory == "rvc" || name_or_factory == "rvc-2023" ||
                     name_or_factory == "fastscan";
  (named ? recipe.name : recipe.factory) = name_or_factory;
  return recipe;
}

absl::StatusOr<std::unique_ptr<Index>> TryBuild(const Recipe& recipe, const Frames& frames) {
  return BuildIndex(recipe, frames.view(), [](BuildPhase, int64_t, int64_t) { return true; });
}

std::unique_ptr<Index> MustBuild(const Recipe& recipe, const Frames& frames) {
  absl::StatusOr<std::unique_ptr<Index>> index = TryBuild(recipe, frames);
  if (!index.ok()) Die(index.status());
  return *std::move(index);
}

Neighbors MustSearch(const Index& index, FrameView queries, const SearchOptions& options) {
  const absl::StatusOr<SearchParams> params = index.Resolve(options);
  if (!params.ok()) Die(params.status());
  absl::StatusOr<Neighbors> neighbors = index.Search(queries, *params);
  if (!neighbors.ok()) Die(neighbors.status());
  return *std::move(neighbors);
}

Frames Join(FrameView first, FrameView second) {
  Frames all{first.dimension, {first.values().begin(), first.values().end()}};
  all.values.insert(all.values.end(), second.values().begin(), second.values().end());
  return all;
}

Frames UnitRows(FrameView frames) {
  Frames unit{frames.dimension, {}};
  for (int64_t i = 0; i < frames.rows; ++i) {
    const double norm =
        std::max(1e-9, std::sqrt(Score(frames.row(i), frames.row(i), frames.dimension, Metric::kInnerProduct)));
    for (int j = 0; j < frames.dimension; ++j) unit.values.push_back(static_cast<float>(frames.row(i)[j] / norm));
  }
  return unit;
}

FaissTwin::FaissTwin(const Index& index) : metric_(index.metric()) {
  faiss::VectorIOWriter writer;
  faiss::write_index(&index.faiss_index(), &writer);
  faiss::VectorIOReader reader;
  reader.data = writer.data;
  index_.reset(faiss::read_index(&reader));
}

FaissTwin::~FaissTwin() = default;

Neighbors FaissTwin::Search(FrameView queries, const SearchParams& params) {
  SetFields(index_.get(), params);
  return SearchAsRead(queries, params.k);
}

Neighbors FaissTwin::SearchAsRead(FrameView queries, int k) {
  const Frames unit = metric_ == Metric::kCosine ? UnitRows(queries) : Frames();
  Neighbors neighbors(queries.rows, k);
  index_->search(queries.rows, metric_ == Metric::kCosine ? unit.values.data() : queries.data, k,
                 neighbors.distances.data(), neighbors.ids.data());
  return neighbors;
}

void FaissTwin::Add(FrameView frames) {
  const Frames unit = metric_ == Metric::kCosine ? UnitRows(frames) : Frames();
  index_->add(frames.rows, metric_ == Metric::kCosine ? unit.values.data() : frames.data);
}

Neighbors ExactNeighbors(FrameView frames, FrameView queries, Metric metric, int k) {
  const Frames unit_frames = metric == Metric::kCosine ? UnitRows(frames) : Frames();
  const Frames unit_queries = metric == Metric::kCosine ? UnitRows(queries) : Frames();
  if (metric == Metric::kCosine) {
    frames = unit_frames.view();
    queries = unit_queries.view();
  }
  const double sign = metric == Metric::kL2 ? 1 : -1;
  Neighbors exact(queries.rows, k);
  std::fill(exact.ids.begin(), exact.ids.end(), -1);
  std::fill(exact.distances.begin(), exact.distances.end(),
            static_cast<float>(sign) * std::numeric_limits<float>::max());
  const auto found = static_cast<size_t>(std::min<int64_t>(k, frames.rows));
  std::vector<std::pair<double, int64_t>> ranked(frames.rows);
  for (int64_t i = 0; i < queries.rows; ++i) {
    for (int64_t id = 0; id < frames.rows; ++id)
      ranked[id] = {sign * Score(queries.row(i), frames.row(id), frames.dimension, metric), id};
    std::partial_sort(ranked.begin(), ranked.begin() + static_cast<int64_t>(found), ranked.end());
    for (size_t j = 0; j < found; ++j) {
      exact.ids[i * k + j] = ranked[j].second;
      exact.distances[i * k + j] = static_cast<float>(sign * ranked[j].first);
    }
  }
  return exact;
}

double Recall(const Neighbors& found, const Neighbors& exact) {
  int64_t hits = 0;
  for (int64_t i = 0; i < exact.rows(); ++i) {
    const auto first = found.ids.begin() + i * found.k;
    for (int j = 0; j < exact.k; ++j)
      hits += std::find(first, first + found.k, exact.ids[i * exact.k + j]) != first + found.k;
  }
  return static_cast<double>(hits) / static_cast<double>(exact.ids.size());
}

double DistanceTolerance(FrameView queries, Metric metric) {
  double largest = 1;
  if (metric != Metric::kCosine) {
    for (int64_t i = 0; i < queries.rows; ++i)
      largest = std::max(largest, Score(queries.row(i), queries.row(i), queries.dimension, Metric::kInnerProduct));
  }
  return 1e-6 * largest;
}

void ExpectSameNeighbors(const Neighbors& actual, const Neighbors& expected, double tolerance) {
  ASSERT_EQ(actual.k, expected.k);
  ASSERT_EQ(actual.ids.size(), expected.ids.size());
  const auto tie = [tolerance](double a, double b) { return std::abs(a - b) <= tolerance; };
  for (int64_t i = 0; i < expected.rows(); ++i) {
    const int64_t* ids = &expected.ids[i * expected.k];
    const float* distances = &expected.distances[i * expected.k];
    const auto found = std::find(ids, ids + expected.k, -1) - ids;
    for (int j = 0; j < expected.k; ++j) {
      const int64_t id = actual.ids[i * expected.k + j];
      const float distance = actual.distances[i * expected.k + j];
      SCOPED_TRACE(::testing::Message() << "row " << i << ", neighbour " << j);
      ASSERT_EQ(id == -1, ids[j] == -1);
      if (id == -1) {
        ASSERT_EQ(distance, distances[j]);
        continue;
      }
      ASSERT_NEAR(distance, distances[j], tolerance);
      if (id == ids[j]) continue;
      const auto place = std::find(ids, ids + found, id) - ids;  // behind the last, an equally far one was left out
      ASSERT_TRUE(tie(distances[j], distances[std::min(place, found - 1)]))
          << "id " << id << " instead of " << ids[j] << " at distance " << distances[j];
    }
  }
}

const std::vector<std::string>& AllForms() {
  static const auto* const kForms = new std::vector<std::string>{
      "auto",
      "rvc",
      "rvc-2023",
      "fastscan",
      "Flat",
      "SQ4",
      "SQ6",
      "SQ8",
      "SQfp16",
      "PQ8np",
      "PQ8x4",
      "PQ16x4fs",
      "HNSW32",
      "HNSW16,Flat",
      "HNSW32_SQ8",
      "IVF12,Flat",
      "IVF12,SQ8",
      "IVF12,SQfp16",
      "IVF12,PQ8np",
      "IVF12,PQ8x6np",
      "IVF12,PQ16x4fs",
      "IVF12,PQ16x4fsr",
      "IVF12_HNSW32,Flat",
      "IVF12_HNSW,SQ8",
      "IVF12_HNSW8,PQ16x4fs",
      "IVF12,PQ8np,RFlat",
      "IVF12,PQ8x4fs,RFlat",
      "IVF12,PQ8x4fsr,RFlat",
      "IVF12,Flat,RFlat",
      "SQ4,RFlat",
      "PQ16x4fs,Refine(Flat)",
      "HNSW32_SQ4,RFlat",
      "OPQ8_16,IVF12,PQ8x4np",
      "OPQ8,IVF12,PQ16x4fs,RFlat",
      "OPQ4,PQ4x4np",
      "PCA16,IVF12,Flat",
      "PCAR16,Flat",
      "PCAR8,HNSW16",
      "PCA8,IVF12,SQ8",
      "RR16,IVF12,Flat",
      "RR32,PQ16x4fs",
      "L2norm,IVF12,Flat",
      "L2norm,PCA16,Flat",
  };
  return *kForms;
}

std::string MetricTestName(const ::testing::TestParamInfo<Metric>& info) {
  std::string name(MetricName(info.param));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace kith::retrieval
