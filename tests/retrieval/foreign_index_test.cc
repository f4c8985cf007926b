// Index files of every form, as faiss writes them, and what others may have done to them.
#include "server/retrieval/foreign_index.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexLSH.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>
#include <faiss/VectorTransform.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <faiss/invlists/OnDiskInvertedLists.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <random>

#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/retrieval/index_check.h"
#include "server/retrieval/serialize.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int64_t kMaxBytes = 1 << 30;

class ForeignIndexTest : public ::testing::Test {
 protected:
  ForeignIndexTest() : folder_(fs::path(::testing::TempDir()) / ("kith-foreign-" + RandomId())) {
    fs::create_directories(folder_ / "out");
  }
  ~ForeignIndexTest() override { fs::remove_all(folder_); }

  std::string file() const { return (folder_ / "given.index").string(); }
  std::string out(const char* name) const { return (folder_ / "out" / name).string(); }

  absl::Status Unpack(int64_t max_bytes = kMaxBytes) {
    return UnpackIndex(file(), (folder_ / "out").string(), max_bytes);
  }
  absl::Status Unpack(const faiss::Index& index) {
    faiss::write_index(&index, file().c_str());
    return Unpack();
  }

  static std::string ReadAll(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void Give(const std::string& bytes) { std::ofstream(file(), std::ios::binary) << bytes; }

  // What the server does with an index of these bytes.
  static absl::StatusOr<std::unique_ptr<Index>> AdoptBytes(const std::string& bytes, FrameView frames,
                                                           std::optional<int> nprobe = std::nullopt) {
    size_t taken = 0;
    const auto source = [&](absl::Span<char> buffer) -> absl::StatusOr<size_t> {
      const size_t count = std::min(buffer.size(), bytes.size() - taken);
      std::copy_n(bytes.data() + taken, count, buffer.data());
      taken += count;
      return count;
    };
    return AdoptIndex(source, frames, nprobe, "digest", [](auto...) { return true; });
  }

  void ExpectRefused(const absl::Status& status, const char* text) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(ReasonOf(status), "BAD_INDEX") << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  // What the server does with what was unpacked.
  std::unique_ptr<Index> Adopt(std::optional<int> nprobe = std::nullopt) {
    const auto shape = ParseUnpackedShape(ReadAll(out(kUnpackedShape)));
    EXPECT_TRUE(shape.ok()) << shape.status();
    const std::string bytes = ReadAll(out(kUnpackedFrames));
    frames_ = {shape->dimension, std::vector<float>(bytes.size() / sizeof(float))};
    std::copy_n(reinterpret_cast<const float*>(bytes.data()), frames_.values.size(), frames_.values.begin());
    EXPECT_EQ(frames_.rows(), shape->rows);
    auto index = AdoptBytes(ReadAll(out(kUnpackedIndex)), frames_.view(), nprobe);
    EXPECT_TRUE(index.ok()) << index.status();
    return index.ok() ? *std::move(index) : nullptr;
  }

  static std::unique_ptr<faiss::Index> Made(const char* factory, const Frames& frames,
                                            faiss::MetricType metric = faiss::METRIC_L2) {
    std::unique_ptr<faiss::Index> index(faiss::index_factory(frames.dimension, factory, metric));
    index->train(frames.rows(), frames.values.data());
    index->add(frames.rows(), frames.values.data());
    return index;
  }

  const Frames made_ = kith::testing::SpeechLike(kFormRows, kFormDimension);
  const Frames queries_ = kith::testing::SpeechLike(20, kFormDimension, 9);
  Frames frames_;  // those that were unpacked

 private:
  const fs::path folder_;
};

// Answers as faiss does on the file itself, with the nprobe and k_factor that stand in it.
void ExpectAnswersAs(const Index& index, const faiss::Index& file, FrameView queries) {
  constexpr int kNeighbors = 5;
  Neighbors expected(queries.rows, kNeighbors);
  file.search(queries.rows, queries.data, kNeighbors, expected.distances.data(), expected.ids.data());
  ExpectSameNeighbors(MustSearch(index, queries, {kNeighbors, std::nullopt, std::nullopt}), expected,
                      DistanceTolerance(queries, index.metric()));
}

class EveryForeignForm : public ForeignIndexTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(EveryForeignForm, IsTakenAsItIs) {
  for (const Metric metric : {Metric::kL2, Metric::kInnerProduct}) {
    SCOPED_TRACE(MetricName(metric));
    Recipe recipe = RecipeOf(GetParam(), metric);
    const auto built = MustBuild(recipe, made_);
    ASSERT_EQ(Unpack(built->faiss_index()), absl::OkStatus());
    const auto adopted = Adopt();
    ASSERT_NE(adopted, nullptr);
    EXPECT_EQ(adopted->metric(), metric);
    EXPECT_EQ(adopted->report().nlist, built->report().nlist);
    EXPECT_EQ(adopted->report().nprobe, built->report().nprobe);
    EXPECT_EQ(adopted->report().k_factor, built->report().k_factor);
    EXPECT_EQ(adopted->report().source_sha256, "digest");
    ExpectSameNeighbors(MustSearch(*adopted, queries_.view()), MustSearch(*built, queries_.view()), 1e-5);

    // Its description makes such an index again.
    Recipe again;
    again.factory = adopted->report().factory;
    again.metric = metric;
    const auto rebuilt = TryBuild(again, made_);
    ASSERT_TRUE(rebuilt.ok()) << rebuilt.status();
    EXPECT_EQ(rebuilt.value()->report().nlist, built->report().nlist);
    EXPECT_EQ(typeid(rebuilt.value()->faiss_index()), typeid(built->faiss_index()));
    EXPECT_EQ(rebuilt.value()->bytes(), built->bytes());
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, EveryForeignForm, ::testing::ValuesIn(AllForms()), [](const auto& info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

TEST_F(ForeignIndexTest, FramesAreWhatWasAddedWhereTheIndexKeepsThem) {
  for (const char* factory : {"Flat", "IVF12,Flat", "HNSW16,Flat", "IVF12,PQ8x4fs,RFlat", "IVF12,PQ8np,RFlat"}) {
    SCOPED_TRACE(factory);
    ASSERT_EQ(Unpack(*Made(factory, made_)), absl::OkStatus());
    ASSERT_NE(Adopt(), nullptr);
    EXPECT_EQ(frames_.values, made_.values);
  }
}

TEST_F(ForeignIndexTest, FramesAreNearWhatWasAddedWhereTheIndexCompresses) {
  for (const char* factory : {"SQ8", "IVF12,SQ8", "IVF12,SQfp16", "OPQ8,IVF12,PQ8np", "RR32,SQ8", "PCAR32,Flat"}) {
    SCOPED_TRACE(factory);
    ASSERT_EQ(Unpack(*Made(factory, made_)), absl::OkStatus());
    ASSERT_NE(Adopt(), nullptr);
    double error = 0;
    double size = 0;
    for (size_t i = 0; i < made_.values.size(); ++i) {
      error += std::pow(frames_.values[i] - made_.values[i], 2);
      size += std::pow(made_.values[i], 2);
    }
    EXPECT_LT(error, 0.2 * size);
  }
}

TEST_F(ForeignIndexTest, NprobeIsTheIndexsOwn) {
  auto index = Made("IVF12,Flat", made_);
  dynamic_cast<faiss::IndexIVF&>(*index).nprobe = 7;
  ASSERT_EQ(Unpack(*index), absl::OkStatus());
  const auto adopted = Adopt(3);
  EXPECT_EQ(adopted->report().nprobe, 7);
  EXPECT_EQ(adopted->report().factory, "IVF12,Flat");
  ExpectAnswersAs(*adopted, *index, queries_.view());
}

TEST_F(ForeignIndexTest, NprobeIsThatOfTheNameWhereTheIndexHasNone) {
  auto index = Made("IVF12,Flat", made_);
  dynamic_cast<faiss::IndexIVF&>(*index).nprobe = 0;
  ASSERT_EQ(Unpack(*index), absl::OkStatus());
  EXPECT_EQ(Adopt(NprobeInName("added_IVF12_Flat_nprobe_3_anna_v2.index"))->report().nprobe, 3);
  EXPECT_EQ(Adopt()->report().nprobe, 1);
  EXPECT_EQ(NprobeInName("anna.index"), std::nullopt);
}

TEST_F(ForeignIndexTest, AnIdMapIsTakenOff) {
  std::vector<int64_t> ids(made_.rows());
  std::iota(ids.begin(), ids.end(), 0);
  std::shuffle(ids.begin(), ids.end(), std::mt19937(5));
  for (const char* factory : {"IDMap,Flat", "IDMap2,Flat", "IDMap,IVF12,Flat", "IDMap,SQ8", "IDMap,IVF12,PQ8x4fs",
                              "IDMap,PCAR16,IVF12,Flat"}) {
    SCOPED_TRACE(factory);
    std::unique_ptr<faiss::Index> index(faiss::index_factory(kFormDimension, factory));
    index->train(made_.rows(), made_.values.data());
    index->add_with_ids(made_.rows(), made_.values.data(), ids.data());
    ASSERT_EQ(Unpack(*index), absl::OkStatus());
    const auto adopted = Adopt();
    ASSERT_NE(adopted, nullptr);
    ExpectAnswersAs(*adopted, *index, queries_.view());
  }
}

TEST_F(ForeignIndexTest, IdsOfItsOwnAreRefused) {
  std::vector<int64_t> ids(made_.rows());
  std::iota(ids.begin(), ids.end(), 1000);
  for (const char* factory : {"IDMap,Flat", "IVF12,Flat"}) {
    std::unique_ptr<faiss::Index> index(faiss::index_factory(kFormDimension, factory));
    index->train(made_.rows(), made_.values.data());
    index->add_with_ids(made_.rows(), made_.values.data(), ids.data());
    const absl::Status status = Unpack(*index);
    ExpectRefused(status, "0 to 299");
    ExpectRefused(status, "kith train NAME");  // what to do
  }
}

TEST_F(ForeignIndexTest, AnIndexThatRowsWereRemovedFromIsRefusedUnlessItsIdsCloseUp) {
  faiss::IDSelectorRange some(10, 20);
  auto lists = Made("IVF12,Flat", made_);
  lists->remove_ids(some);
  ExpectRefused(Unpack(*lists), "remove_ids");
  auto flat = Made("Flat", made_);  // the rows behind move up
  flat->remove_ids(some);
  ASSERT_EQ(Unpack(*flat), absl::OkStatus());
  ExpectAnswersAs(*Adopt(), *flat, queries_.view());
}

// The server takes the k_factor from the outermost part.
TEST_F(ForeignIndexTest, AReRankingInsideOfAnotherPartIsRefused) {
  faiss::IndexFlatL2 codes(kFormDimension);
  faiss::IndexRefineFlat refined(&codes);
  faiss::RandomRotationMatrix rotation(kFormDimension, kFormDimension);
  rotation.init(3);
  faiss::IndexPreTransform turned(&rotation, &refined);
  turned.add(made_.rows(), made_.values.data());
  ExpectRefused(Unpack(turned), "re-ranking (RFlat) stands inside");

  faiss::IndexFlatL2 more_codes(kFormDimension);
  faiss::IndexRefineFlat inner(&more_codes);
  faiss::IndexRefineFlat outer(&inner);
  outer.add(made_.rows(), made_.values.data());
  ExpectRefused(Unpack(outer), "re-ranking (RFlat) stands inside");
}

TEST_F(ForeignIndexTest, AChainOfNoTransformsIsRefused) {
  faiss::IndexFlatL2 flat(kFormDimension);
  faiss::IndexPreTransform chain(&flat);
  chain.add(made_.rows(), made_.values.data());
  ExpectRefused(Unpack(chain), "empty chain");
}

// faiss would open whatever path stands in the file.
TEST_F(ForeignIndexTest, ListsInAFileOfTheirOwnAreRefusedBeforeItIsOpened) {
  auto index = Made("IVF12,Flat", made_);
  auto& lists = dynamic_cast<faiss::IndexIVF&>(*index);
  const std::string path = file() + ".lists";
  lists.replace_invlists(new faiss::OnDiskInvertedLists(lists.nlist, lists.code_size, path.c_str()), true);
  lists.ntotal = 0;
  lists.add(made_.rows(), made_.values.data());
  faiss::write_index(index.get(), file().c_str());
  fs::remove(path);  // to open it would fail, and be told as damage
  ExpectRefused(Unpack(), "OnDiskInvertedLists");
  ExpectRefused(AdoptBytes(ReadAll(file()), made_.view()).status(), "another file");
}

TEST_F(ForeignIndexTest, WhatTheServerFindsWrongIsTheFilesFault) {
  faiss::write_index(Made("IVF12,Flat", made_).get(), file().c_str());
  const std::string whole = ReadAll(file());
  ASSERT_TRUE(AdoptBytes(whole, made_.view()).ok());
  ExpectRefused(AdoptBytes(whole.substr(0, whole.size() / 2), made_.view()).status(), "reading the index");
  ExpectRefused(AdoptBytes("no index at all", made_.view()).status(), "reading the index");
  ExpectRefused(AdoptBytes(whole, made_.view().Slice(0, 100)).status(), "300 rows");
  Frames bad = made_;
  bad.values[70] = std::numeric_limits<float>::infinity();
  ExpectRefused(AdoptBytes(whole, bad.view()).status(), "row 2 of the index");
}

TEST_F(ForeignIndexTest, AnErrorOfTheSourceIsGivenOn) {
  const absl::Status failure = Error(Reason::kStorage, "the disk is away");
  const auto index = AdoptIndex([&](absl::Span<char>) -> absl::StatusOr<size_t> { return failure; }, made_.view(),
                                std::nullopt, "digest", [](auto...) { return true; });
  EXPECT_EQ(index.status(), failure);
}

TEST_F(ForeignIndexTest, FilesThatCannotBeWrittenAreNotTheIndexsFault) {
  for (const char* name : {kUnpackedIndex, kUnpackedFrames, kUnpackedShape}) {
    SCOPED_TRACE(name);
    fs::remove(out(name));
    fs::create_directory(out(name));  // nothing can be written under this name
    EXPECT_EQ(ReasonOf(Unpack(*Made("Flat", made_))), "STORAGE");
    fs::remove_all(out(name));
  }
}

TEST_F(ForeignIndexTest, ATrainedIndexWithoutVectorsPointsToTheAddedOne) {
  std::unique_ptr<faiss::Index> index(faiss::index_factory(kFormDimension, "IVF12,Flat"));
  index->train(made_.rows(), made_.values.data());
  const absl::Status status = Unpack(*index);
  EXPECT_EQ(ReasonOf(status), "BAD_INDEX");
  EXPECT_THAT(std::string(status.message()), HasSubstr("give the added_ one"));
}

TEST_F(ForeignIndexTest, OtherTypesAndMetricsAreRefused) {
  ExpectRefused(Unpack(*Made("LSH", made_)), "cannot be rebuilt");
  ExpectRefused(Unpack(*Made("LSH", made_)), "--factory LSH");
  ExpectRefused(Unpack(*Made("Flat", made_, faiss::METRIC_L1)), "metric");
  ExpectRefused(Unpack(*Made("NSG16,Flat", made_)), "not supported");
}

TEST_F(ForeignIndexTest, SaysWhatAFileIsThatIsNoIndex) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "is empty"},
      {std::string("\x93NUMPY\x01\0", 8) + std::string(200, ' '), "kith train"},
      {"PK\x03\x04" + std::string(100, 'x'), "PyTorch"},
      {"\x80\x02}q" + std::string(100, 'x'), "pickle"},
      {"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
      {"IBxF" + std::string(100, '\0'), "binary"},
      {"IxQQ" + std::string(100, '\0'), "index_gpu_to_cpu"},
      {"hello, this is text", "no faiss index"},
      {"IwFl", "truncated"},
  };
  for (const auto& [bytes, text] : cases) {
    Give(bytes);
    const absl::Status status = Unpack();
    EXPECT_EQ(ReasonOf(status), "BAD_INDEX") << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }
}

TEST_F(ForeignIndexTest, TooManyFramesAreRefused) {
  faiss::write_index(Made("Flat", made_).get(), file().c_str());
  EXPECT_EQ(ReasonOf(Unpack(1000)), "MEMORY_BUDGET");
}

TEST_F(ForeignIndexTest, ValuesThatAreNotFiniteAreRefused) {
  for (const char* factory : {"Flat", "IVF12,Flat"}) {
    auto index = Made(factory, made_);
    Frames bad{kFormDimension, std::vector<float>(kFormDimension, std::numeric_limits<float>::quiet_NaN())};
    if (auto* lists = dynamic_cast<faiss::IndexIVF*>(index.get())) {
      const int64_t id = made_.rows();
      lists->invlists->add_entry(0, id, reinterpret_cast<const uint8_t*>(bad.values.data()));
      ++lists->ntotal;
    } else {
      index->add(1, bad.values.data());
    }
    const absl::Status status = Unpack(*index);
    EXPECT_EQ(ReasonOf(status), "BAD_INDEX");
    EXPECT_THAT(std::string(status.message()), HasSubstr("not finite"));
  }
}

// What faiss would follow out of bounds.
TEST_F(ForeignIndexTest, LinksAndSizesOutOfRangeAreFound) {
  {
    auto index = Made("HNSW16,Flat", made_);
    dynamic_cast<faiss::IndexHNSW&>(*index).hnsw.neighbors[5] = 1 << 20;
    EXPECT_THAT(std::string(CheckIndex(*index).message()), HasSubstr("leads nowhere"));
  }
  {  // behind the last link of a node, where a search does not look but an addition does
    auto index = Made("HNSW16,Flat", made_);
    auto& graph = dynamic_cast<faiss::IndexHNSW&>(*index).hnsw;
    graph.neighbors[1] = -1;
    graph.neighbors[2] = 1 << 30;
    EXPECT_THAT(std::string(CheckIndex(*index).message()), HasSubstr("leads nowhere"));
  }
  {  // a level without room for a link
    auto index = Made("HNSW16,Flat", made_);
    auto& widths = dynamic_cast<faiss::IndexHNSW&>(*index).hnsw.cum_nneighbor_per_level;
    widths[widths.size() - 1] = widths[widths.size() - 2];
    EXPECT_THAT(std::string(CheckIndex(*index).message()), HasSubstr("levels"));
  }
  {
    auto index = Made("HNSW16,Flat", made_);
    dynamic_cast<faiss::IndexHNSW&>(*index).hnsw.entry_point = 300;
    EXPECT_THAT(std::string(CheckIndex(*index).message()), HasSubstr("entry"));
  }
  {
    auto index = Made("IVF12,Flat", made_);
    ++dynamic_cast<faiss::IndexIVF&>(*index).ntotal;
    EXPECT_THAT(std::string(CheckIndex(*index).message()), HasSubstr("as many rows"));
  }
  {
    auto index = Made("IVF12,Flat", made_);
    dynamic_cast<faiss::IndexIVF&>(*index).quantizer->reset();
    EXPECT_THAT(std::string(CheckIndex(*index).message()), HasSubstr("centroids"));
  }
  {  // more queries at once than faiss has code for
    auto index = Made("IVF12,PQ8x4fs", made_);
    dynamic_cast<faiss::IndexIVFPQFastScan&>(*index).qbs2 = 30;
    EXPECT_THAT(std::string(CheckIndex(*index).message()), HasSubstr("FastScan settings"));
  }
  {
    auto index = Made("PQ8x4fs", made_);
    dynamic_cast<faiss::IndexPQFastScan&>(*index).qbs = 0xFF;
    EXPECT_THAT(std::string(CheckIndex(*index).message()), HasSubstr("FastScan settings"));
  }
  {
    auto index = Made("PQ8np", made_);
    dynamic_cast<faiss::IndexPQ&>(*index).pq.centroids.pop_back();
    EXPECT_THAT(std::string(CheckIndex(*index).message()), HasSubstr("table"));
  }
  {
    auto index = Made("SQ8", made_);
    dynamic_cast<faiss::IndexFlatCodes&>(*index).codes.pop_back();
    EXPECT_THAT(std::string(CheckIndex(*index).message()), HasSubstr("codes"));
  }
}

}  // namespace
}  // namespace kith::retrieval
