// Index::Search and Index::Blend beside plain faiss on the same index, in one run.
//
//   kith          Index::Search with one thread, as a worker of the server calls it
//   faiss         faiss::Index::search with faiss's own settings: all cores, BLAS from 20 rows on
//   faiss_1       the same with one thread
//
// Names end in rows of a block / stored frames N / dimension. Each index is built once, on first use; its quantiser is
// trained in 4 iterations of k-means instead of 10, because only the time of a search matters here.
#include <benchmark/benchmark.h>
#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/utils/distances.h>
#include <omp.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "client/cli/speech_like.h"
#include "server/retrieval/index.h"
#include "server/retrieval/platform.h"
#include "server/retrieval/recipe.h"

namespace kith::bench {
namespace {

using retrieval::BuildPlan;
using retrieval::BuildReport;
using retrieval::Frames;
using retrieval::Metric;
using retrieval::Neighbors;
using retrieval::SearchParams;

constexpr int kNeighbors = 8;
const int kAllThreads = omp_get_max_threads();

constexpr uint64_t kSeed = 2;

// The index of the rvc recipe over the first frames of a made voice. An index that is searched by more than one list by
// default is sketched.
std::unique_ptr<retrieval::Index> BuildRvc(int64_t rows, int dimension, uint64_t seed, int nprobe) {
  const Frames frames{dimension, cli::SpeechLike(dimension, seed).Next(rows)};
  retrieval::Recipe recipe;
  recipe.name = "rvc";
  const absl::StatusOr<BuildPlan> plan = retrieval::PlanBuild(recipe, rows, dimension);
  if (!plan.ok()) std::abort();
  const int64_t nlist = std::atoll(plan->factory.c_str() + 3);  // "IVF769,Flat"
  auto* quantizer = new faiss::IndexFlatL2(dimension);
  auto index = std::make_unique<faiss::IndexIVFFlat>(quantizer, dimension, nlist);
  index->own_fields = true;
  index->cp.niter = 4;
  index->cp.min_points_per_centroid = 1;
  omp_set_num_threads(kAllThreads);
  index->train(rows, frames.values.data());
  index->add(rows, frames.values.data());
  BuildReport report;
  report.factory = plan->factory;
  report.nlist = nlist;
  report.nprobe = nprobe;
  return std::make_unique<retrieval::Index>(std::move(index), frames.view(), Metric::kL2, report);
}

const retrieval::Index& TheIndex(int64_t rows, int dimension) {
  static auto* const built = new std::map<std::pair<int64_t, int>, std::unique_ptr<retrieval::Index>>;
  auto& index = (*built)[{rows, dimension}];
  if (index == nullptr) {
    std::cerr << "building IVF over " << rows << " x " << dimension << std::endl;
    index = BuildRvc(rows, dimension, kSeed, 14);  // of the cases, the one that is more than 1
  }
  return *index;
}

// A run of block-sized windows, so that not every block finds its lists in the cache.
class Blocks {
 public:
  // What the voice of an index over `stored` frames says next.
  Blocks(int64_t rows, int64_t stored, int dimension)
      : rows_(rows), frames_(After(stored, rows * kWindows, dimension)) {}
  retrieval::FrameView Next() { return frames_.view().Slice(rows_ * (next_++ % kWindows), rows_); }

 private:
  static Frames After(int64_t stored, int64_t rows, int dimension) {
    cli::SpeechLike voice(dimension, kSeed);
    voice.Next(stored);
    return {dimension, voice.Next(rows)};
  }

  static constexpr int64_t kWindows = 32;
  const int64_t rows_;
  const Frames frames_;
  int64_t next_ = 0;
};

// What a server does that has several voices, 16 rows of one after the other, the blend too: no list is in a cache.
class EightVoices {
 public:
  // `speaker`: whose frames are searched for; unset: each voice goes on speaking.
  explicit EightVoices(std::optional<uint64_t> speaker) {
    for (uint64_t seed = 10; seed < 18; ++seed) {
      voices_.push_back(BuildRvc(kStored, kDimension, seed, 1));
      cli::SpeechLike voice(kDimension, speaker.value_or(seed));
      if (!speaker) voice.Next(kStored);
      said_.push_back({kDimension, voice.Next(kRows * kBlocks)});
    }
  }

  void Next() {
    const size_t voice = next_ % voices_.size();
    const auto block = static_cast<int64_t>(next_++ / voices_.size() % kBlocks);
    const retrieval::FrameView frames = said_[voice].view().Slice(kRows * block, kRows);
    const absl::StatusOr<Neighbors> found = voices_[voice]->Search(frames, {kNeighbors, 1, 0});
    if (!found.ok()) std::abort();
    voices_[voice]->Blend(frames, *found, {}, blended_.data());
  }

 private:
  static constexpr int kDimension = 768;
  static constexpr int64_t kStored = 30000;
  static constexpr int64_t kRows = 16;
  static constexpr int64_t kBlocks = 125;
  std::vector<std::unique_ptr<retrieval::Index>> voices_;
  std::vector<Frames> said_;
  std::vector<float> blended_ = std::vector<float>(kRows * kDimension);
  uint64_t next_ = 0;
};

void InTurns(benchmark::State& state, std::optional<uint64_t> speaker) {
  EightVoices voices(speaker);
  retrieval::InitializeFaiss();
  retrieval::SetThreadsOfThisThread(1);
  for (auto _ : state) voices.Next();
}

struct Settings {
  int threads;
  int blas_threshold;
};

void Use(const Settings& settings) {
  omp_set_num_threads(settings.threads);
  faiss::distance_compute_blas_threshold = settings.blas_threshold;
}

void Kith(benchmark::State& state, int nprobe) {
  const retrieval::Index& index = TheIndex(state.range(1), static_cast<int>(state.range(2)));
  Blocks blocks(state.range(0), state.range(1), index.dimension());
  retrieval::InitializeFaiss();
  retrieval::SetThreadsOfThisThread(1);
  for (auto _ : state) benchmark::DoNotOptimize(index.Search(blocks.Next(), {kNeighbors, nprobe, 0}));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void Faiss(benchmark::State& state, int nprobe, const Settings& settings) {
  const retrieval::Index& index = TheIndex(state.range(1), static_cast<int>(state.range(2)));
  const faiss::Index& plain = index.faiss_index();
  Blocks blocks(state.range(0), state.range(1), index.dimension());
  Use(settings);
  faiss::IVFSearchParameters params;
  params.nprobe = nprobe;
  Neighbors neighbors(state.range(0), kNeighbors);
  for (auto _ : state) {
    const retrieval::FrameView block = blocks.Next();
    plain.search(block.rows, block.data, kNeighbors, neighbors.distances.data(), neighbors.ids.data(), &params);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void Blend(benchmark::State& state, retrieval::Weighting weighting) {
  const retrieval::Index& index = TheIndex(state.range(1), static_cast<int>(state.range(2)));
  Blocks blocks(state.range(0), state.range(1), index.dimension());
  retrieval::InitializeFaiss();
  retrieval::SetThreadsOfThisThread(1);
  const retrieval::FrameView block = blocks.Next();
  const absl::StatusOr<Neighbors> neighbors = index.Search(block, {kNeighbors, 1, 0});
  if (!neighbors.ok()) return state.SkipWithError("the search failed");
  retrieval::BlendParams params;
  params.weighting = weighting;
  std::vector<float> out(block.size());
  for (auto _ : state) {
    benchmark::DoNotOptimize(index.Blend(block, *neighbors, params, out.data()));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

constexpr int kFaissThreshold = 20;  // faiss's default

void Sizes(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t dimension : {256, 768}) {
    for (const int64_t stored : {7000, 30000, 100000}) {
      for (const int64_t block : {16, 64, 512}) benchmark->Args({block, stored, dimension});
    }
  }
  benchmark->UseRealTime()->Unit(benchmark::kMicrosecond);
}

// What auto's choice costs: about as many lists as it takes on real frames (docs/recall.md).
void LargeVoice(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t block : {16, 64, 512}) benchmark->Args({block, 30000, 768});
  benchmark->UseRealTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(Kith, nprobe_1, 1)->Apply(Sizes);
BENCHMARK_CAPTURE(InTurns, own_frames, std::nullopt)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(InTurns, anothers_frames, 99)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Faiss, nprobe_1, 1, {kAllThreads, kFaissThreshold})->Apply(Sizes);
BENCHMARK_CAPTURE(Faiss, nprobe_1_one_thread, 1, {1, kFaissThreshold})->Apply(Sizes);
BENCHMARK_CAPTURE(Kith, nprobe_14, 14)->Apply(LargeVoice);
BENCHMARK_CAPTURE(Faiss, nprobe_14, 14, {kAllThreads, kFaissThreshold})->Apply(LargeVoice);
BENCHMARK_CAPTURE(Faiss, nprobe_14_one_thread, 14, {1, kFaissThreshold})->Apply(LargeVoice);
BENCHMARK_CAPTURE(Blend, inverse_square, retrieval::Weighting::kInverseSquare)->Apply(Sizes);
BENCHMARK_CAPTURE(Blend, alpha, retrieval::Weighting::kAlpha)->Apply(Sizes);

}  // namespace
}  // namespace kith::bench

BENCHMARK_MAIN();
