// A search by sketches finds, to the bit, what one of whole lists finds.
#include "server/retrieval/sketch_search.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFFlat.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/retrieval/centroids.h"
#include "server/retrieval/list_search.h"
#include "server/retrieval/platform.h"
#include "server/retrieval/search.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

constexpr int kLists = 40;
constexpr int64_t kRows = 3000;

// Rows 0 to kRows - 1 of `frames` in lists, by L2; the rest is for queries and additions.
class Sketched {
 public:
  explicit Sketched(const Frames& frames)
      : frames_(frames), quantizer_(frames.dimension), index_(&quantizer_, frames.dimension, kLists) {
    SetThreadsOfThisThread(1);
    index_.cp.niter = 3;
    index_.cp.min_points_per_centroid = 1;
    index_.train(kRows, frames.values.data());
    index_.add(kRows, frames.values.data());
    sketches_ = ListSketches::Of(index_, *FindKernels("vnni"));
  }

  // Adds rows as Index does.
  void Add(FrameView rows) {
    std::vector<int64_t> lists(rows.rows);
    quantizer_.assign(rows.rows, rows.data, lists.data());
    const ListSketches::Rows sketched = sketches_->Sketch(lists, rows.data);
    index_.add_core(rows.rows, rows.data, nullptr, lists.data());
    sketches_->Append(lists, sketched);
  }

  void ExpectSameAsWholeLists(FrameView queries) {
    for (const int nprobe : {2, 7, kLists}) {
      for (const int k : {1, 8, 100, 300, 1024}) {
        SCOPED_TRACE(::testing::Message() << queries.rows << " queries, nprobe " << nprobe << ", k " << k);
        std::vector<int64_t> assigned(queries.rows * nprobe);
        std::vector<float> coarse(assigned.size());
        MakeCentroids(quantizer_.get_xb(), kLists, quantizer_.d, Metric::kL2, sketches_->kernels())
            ->Nearest(queries.rows, queries.data, nprobe, assigned.data(), coarse.data());
        Neighbors whole(queries.rows, k);
        SearchFlatLists(sketches_->lists(), sketches_->kernels(), queries.rows, queries.data, nprobe, assigned.data(),
                        k, whole.distances.data(), whole.ids.data());
        Neighbors found(queries.rows, k);
        SearchSketchedLists(*sketches_, queries.rows, queries.data, nprobe, assigned.data(), coarse.data(), k,
                            found.distances.data(), found.ids.data());
        EXPECT_EQ(found.ids, whole.ids);
        EXPECT_EQ(found.distances, whole.distances);
      }
    }
  }

  // The share of rows whose bound is not above the distance of the 8th nearest; and no bound is above the distance.
  double ShareLeft(FrameView queries) {
    int64_t left = 0;
    std::vector<float> projected(queries.rows * sketches_->directions());
    sketches_->Project(queries.rows, queries.data, projected.data());
    for (int64_t q = 0; q < queries.rows; ++q) {
      std::vector<float> bounds;
      std::vector<float> distances;
      for (int list = 0; list < kLists; ++list) {
        BoundsOf(list, queries.row(q), projected.data() + q * sketches_->directions(), &bounds, &distances);
      }
      for (size_t i = 0; i < bounds.size(); ++i) EXPECT_LE(bounds[i], distances[i] * 1.0001f);
      std::nth_element(distances.begin(), distances.begin() + 7, distances.end());
      left += std::count_if(bounds.begin(), bounds.end(), [&](float bound) { return bound <= distances[7]; });
    }
    return static_cast<double>(left) / static_cast<double>(queries.rows * index_.ntotal);
  }

 private:
  void BoundsOf(int list, const float* query, const float* projected, std::vector<float>* bounds,
                std::vector<float>* distances) {
    const FlatLists& lists = sketches_->lists();
    const auto distance = [&](const float* row) {
      double sum = 0;
      for (int j = 0; j < frames_.dimension; ++j) sum += std::pow(static_cast<double>(query[j]) - row[j], 2);
      return static_cast<float>(sum);
    };
    double norm = 0;
    for (int j = 0; j < frames_.dimension; ++j) norm += static_cast<double>(query[j]) * query[j];
    const size_t first = bounds->size();
    bounds->resize(first + lists.rows(list));
    sketches_->Bounds(projected, static_cast<float>(std::sqrt(norm)), list, distance(sketches_->centroid(list)),
                      bounds->data() + first);
    for (int64_t row = 0; row < lists.rows(list); ++row) {
      distances->push_back(distance(lists.vectors(list) + row * frames_.dimension));
    }
  }

  const Frames& frames_;
  faiss::IndexFlatL2 quantizer_;
  faiss::IndexIVFFlat index_;
  std::unique_ptr<ListSketches> sketches_;
};

class SketchSearchTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (FindKernels("vnni") == nullptr) GTEST_SKIP() << "this processor has no vnni, and searches whole lists";
  }
  static FrameView After(const Frames& frames, int64_t rows) { return frames.view().Slice(kRows, rows); }
};

TEST_P(SketchSearchTest, FindsWhatIsInTheListsWhateverIsAsked) {
  const Frames frames = testing::SpeechLike(kRows + 100, GetParam(), 1);
  Sketched sketched(frames);
  for (const int64_t rows : {1, 16, 100}) sketched.ExpectSameAsWholeLists(After(frames, rows));
  sketched.ExpectSameAsWholeLists(frames.view().Slice(0, 50));                     // stored ones
  sketched.ExpectSameAsWholeLists(testing::SpeechLike(50, GetParam(), 2).view());  // far from all
}

TEST_P(SketchSearchTest, ReadsFewOfTheRows) {
  const Frames frames = testing::SpeechLike(kRows + 20, GetParam(), 1);
  EXPECT_LT(Sketched(frames).ShareLeft(After(frames, 20)), 0.3);
}

TEST_P(SketchSearchTest, FindsWhatIsAdded) {
  const Frames frames = testing::SpeechLike(kRows + 300, GetParam(), 1);
  Sketched sketched(frames);
  for (const int64_t rows : {1, 20, 279}) {  // within a panel, over its end, and many
    sketched.Add(After(frames, 300).Slice(0, rows));
    sketched.ExpectSameAsWholeLists(After(frames, 300).Slice(0, 30));
  }
}

TEST_P(SketchSearchTest, FindsAmongStrangeValues) {
  struct Case {
    const char* name;
    std::function<void(int64_t row, float* values, int dimension)> change;
  };
  const Case cases[] = {
      {"all the same", [](int64_t, float* values, int dimension) { std::fill_n(values, dimension, 0.5f); }},
      {"zeros", [](int64_t, float* values, int dimension) { std::fill_n(values, dimension, 0.0f); }},
      {"in three dimensions",
       [](int64_t, float* values, int dimension) { std::fill_n(values + 3, dimension - 3, 0.0f); }},
      {"in eight dimensions, far from zero",
       [](int64_t, float* values, int dimension) { std::fill_n(values + 8, dimension - 8, 20.0f); }},
      {"far from zero",
       [](int64_t, float* values, int dimension) {
         for (int j = 0; j < dimension; ++j) values[j] += 1000;
       }},
      {"tiny",
       [](int64_t, float* values, int dimension) {
         for (int j = 0; j < dimension; ++j) values[j] *= 1e-20f;
       }},
      {"huge",
       [](int64_t, float* values, int dimension) {
         for (int j = 0; j < dimension; ++j) values[j] *= 1e10f;
       }},
      {"of all sizes",
       [](int64_t row, float* values, int dimension) {
         const float size = std::pow(10.0f, static_cast<float>(row % 20 - 10));
         for (int j = 0; j < dimension; ++j) values[j] *= size;
       }},
  };
  for (const Case& strange : cases) {
    SCOPED_TRACE(strange.name);
    Frames frames = testing::SpeechLike(kRows + 30, GetParam(), 1);
    for (int64_t row = 0; row < frames.rows(); ++row) {
      strange.change(row, frames.values.data() + row * GetParam(), GetParam());
    }
    Sketched(frames).ExpectSameAsWholeLists(After(frames, 30));
  }
}

INSTANTIATE_TEST_SUITE_P(Dimensions, SketchSearchTest, ::testing::Values(128, 257, 768));

TEST(SketchedIndexTest, AnswersAsFaissDoesBesideAdditions) {
  constexpr int kDimension = 128;
  const Frames frames = testing::SpeechLike(kRows + 300, kDimension, 1);
  Recipe recipe = RecipeOf("IVF64,Flat");
  recipe.nprobe = 4;
  const std::unique_ptr<Index> index =
      MustBuild(recipe, {kDimension, {frames.values.begin(), frames.values.begin() + kRows * kDimension}});
  FaissTwin faiss(*index);
  const FrameView added = frames.view().Slice(kRows, 300);
  const FrameView stored = frames.view().Slice(0, 64);
  std::thread adding([&] { EXPECT_TRUE(index->Add(added).ok()); });
  while (index->rows() < kRows + added.rows) {
    const Neighbors found = MustSearch(*index, stored);
    for (int64_t row = 0; row < stored.rows; ++row) EXPECT_EQ(found.distances[row * found.k], 0) << row;
  }
  adding.join();
  faiss.Add(added);
  ExpectSameNeighbors(MustSearch(*index, added), faiss.Search(added, *index->Resolve({})),
                      DistanceTolerance(added, Metric::kL2));
}

TEST(SketchedIndexTest, AnswersOtherSpeakersAsFaissDoes) {
  const auto voice = testing::RealFrames("voice-a/3_feature768");
  const auto speaker_b = testing::RealFrames("queries/speaker-b_299x768.npy");
  const auto speaker_c = testing::RealFrames("queries/speaker-c_169x768.npy");
  KITH_SKIP_WITHOUT(voice && speaker_b && speaker_c);
  const std::unique_ptr<Index> index = MustBuild(RecipeOf("auto"), *voice);
  FaissTwin faiss(*index);
  const SearchParams params = *index->Resolve({});
  ASSERT_GT(params.nprobe, 1);
  const double tolerance = DistanceTolerance(speaker_b->view(), Metric::kL2);
  ExpectSameNeighbors(MustSearch(*index, speaker_b->view()), faiss.Search(speaker_b->view(), params), tolerance);
  ASSERT_TRUE(index->Add(speaker_c->view()).ok());
  faiss.Add(speaker_c->view());
  ExpectSameNeighbors(MustSearch(*index, speaker_c->view()), faiss.Search(speaker_c->view(), params), tolerance);
}

}  // namespace
}  // namespace kith::retrieval
