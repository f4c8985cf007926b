// Which factory strings get through to faiss, and that those live.
#include "server/retrieval/factory.h"

#include <algorithm>
#include <string>

#include "server/base/status.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

void ExpectRefused(const std::string& factory, const std::string& names, Metric metric = Metric::kL2,
                   int64_t rows = 100000, int dimension = 768) {
  const auto shape = CheckFactory(factory, metric, rows, dimension);
  ASSERT_FALSE(shape.ok()) << factory;
  EXPECT_EQ(ReasonOf(shape.status()), "BAD_PARAMETER");
  EXPECT_NE(shape.status().message().find(names), std::string::npos) << shape.status();
}

TEST(CheckFactoryTest, RefusesWhatFaissWouldDieOf) {
  ExpectRefused("IVF0,Flat", "IVF0");
  ExpectRefused("IVF-1,Flat", "IVF-1");
  ExpectRefused("IVF99999999999999,Flat", "IVF99999999999999");
  ExpectRefused("IVF99999999999999999999999999,Flat", "IVF99999999999999999999999999");
  ExpectRefused("PQ0", "PQ0");
  ExpectRefused("PQ7", "PQ7");
  ExpectRefused("PQ769", "PQ769");
  ExpectRefused("PQ8x64", "PQ8x64");
  ExpectRefused("PQ8x0", "PQ8x0");
  ExpectRefused("PQ8x9", "PQ8x9");
  ExpectRefused("PQ7x4fs", "PQ7x4fs");
  ExpectRefused("PQ0x4fs", "PQ0x4fs");
  ExpectRefused("PQ16x4fsr", "PQ16x4fsr");
  ExpectRefused("IVF10,PQ16x4fs_64", "PQ16x4fs_64");
  ExpectRefused("HNSW0", "HNSW0");
  ExpectRefused("HNSW1", "HNSW1");
  ExpectRefused("HNSW999", "HNSW999");
  ExpectRefused("HNSW32_PQ7", "HNSW32_PQ7");
  ExpectRefused("IVF10_HNSW0,Flat", "IVF10_HNSW0");
  ExpectRefused("OPQ3_0,PQ3", "OPQ3_0");
  ExpectRefused("OPQ0,PQ3", "OPQ0");
  ExpectRefused("OPQ5,PQ4", "OPQ5");
  ExpectRefused("OPQ8_12,PQ4", "OPQ8_12");
  ExpectRefused("OPQ8_9999,PQ4", "OPQ8_9999");
  ExpectRefused("PCA0,Flat", "PCA0");
  ExpectRefused("PCA9999,Flat", "PCA9999");
  ExpectRefused("PCAW16,Flat", "PCAW16");
  ExpectRefused("RR0,Flat", "RR0");
  ExpectRefused("RR9999,Flat", "RR9999");
  ExpectRefused("Pad-1,Flat", "Pad-1");
  ExpectRefused("PCA100,PQ8", "PQ8");  // of the 100 dimensions that are left
  ExpectRefused("IMI2x0,Flat", "IMI2x0");
  ExpectRefused("IMI2x16,Flat", "IMI2x16");
  ExpectRefused("IMI2x4,Flat", "IMI", Metric::kInnerProduct);
  ExpectRefused("IMI2x4,Flat", "IMI", Metric::kCosine);
  ExpectRefused("PCA15,IMI2x4,Flat", "IMI2");
  ExpectRefused("HNSW32_PQ8", "HNSW", Metric::kInnerProduct);
  ExpectRefused("HNSW32_PQ8", "HNSW", Metric::kCosine);
}

TEST(CheckFactoryTest, RefusesWhatIsNoFactory) {
  ExpectRefused("", "''");
  ExpectRefused(",", "''");
  ExpectRefused("Flat,", "''");
  ExpectRefused(",Flat", "''");
  ExpectRefused("IVF10,,Flat", "''");
  ExpectRefused("IVF10", "IVF10");
  ExpectRefused("IVF10,", "''");
  ExpectRefused("PCA16", "PCA16");
  ExpectRefused("PCA16,", "''");
  ExpectRefused("OPQ8", "OPQ8");
  ExpectRefused("L2norm", "L2norm");
  ExpectRefused("IDMap,Flat", "IDMap");
  ExpectRefused("Flat,IDMap", "IDMap");
  ExpectRefused("IVF10,Flat,Flat", "'Flat'");
  ExpectRefused("IVF10,Flat,PCA16", "PCA16");
  ExpectRefused("IVF10,IVF10,Flat", "IVF10");
  ExpectRefused("Flat,RFlat,RFlat", "RFlat");
  ExpectRefused("IVF10(Index0),Flat", "IVF10(Index0)");
  ExpectRefused("IVF10(Flat),Flat", "IVF10(Flat)");
  ExpectRefused("IVF10,Flat,Refine(PQ8)", "Refine(PQ8)");
  ExpectRefused("NSG32", "NSG32");
  ExpectRefused("ITQ64,LSH", "ITQ");
  ExpectRefused("LSH64", "LSH64");
  ExpectRefused("LSH", "LSH", Metric::kInnerProduct);
  ExpectRefused("LSH", "LSH", Metric::kCosine);
  ExpectRefused("IVF10,LSH", "LSH");
  ExpectRefused("ITQ", "ITQ");
  ExpectRefused("RFlat", "RFlat");
  ExpectRefused("flat", "flat");
  ExpectRefused(" Flat", " Flat");
  ExpectRefused("Flat ", "Flat ");
  ExpectRefused("Flat\n", "Flat");
  ExpectRefused("Плоский", "Плоский");
  ExpectRefused("IVF１０,Flat", "IVF１０");
  ExpectRefused(std::string("Flat\0", 5), "Flat");
  ExpectRefused(std::string("Flat\0,RFlat", 11), "Flat");
  ExpectRefused(std::string("\0", 1), "");
  ExpectRefused(std::string(10000, 'A'), "256");
  ExpectRefused(std::string(10000, ','), "256");
  ExpectRefused("IVF" + std::string(240, '9') + ",Flat", "999");
}

TEST(CheckFactoryTest, NamesTheRowsThatAreMissing) {
  ExpectRefused("IVF100,Flat", "100 rows", Metric::kL2, 50);
  ExpectRefused("PQ8", "256 rows", Metric::kL2, 100);
  ExpectRefused("PQ8x10", "PQ8x10", Metric::kL2, 100);
  ExpectRefused("PQ8x4fs", "16 rows", Metric::kL2, 15);
  ExpectRefused("IVF300,PQ8", "300 rows", Metric::kL2, 299);
  ExpectRefused("OPQ8,IVF3,Flat", "256 rows", Metric::kL2, 255);
  ExpectRefused("IVF4,PQ8,RFlat", "256 rows", Metric::kL2, 255);
  ExpectRefused("HNSW32_PQ8", "256 rows", Metric::kL2, 255);
  ExpectRefused("IMI2x5,Flat", "32 rows", Metric::kL2, 31);
  ExpectRefused("PCA64,Flat", "64 rows", Metric::kL2, 63);
  EXPECT_TRUE(CheckFactory("IVF100,Flat", Metric::kL2, 100, 768).ok());
  EXPECT_TRUE(CheckFactory("Flat", Metric::kL2, 1, 768).ok());
}

TEST(CheckFactoryTest, TellsWhetherThereAreLists) {
  EXPECT_TRUE(CheckFactory("PCA16,IVF10,Flat", Metric::kL2, 1000, 768)->has_lists);
  EXPECT_TRUE(CheckFactory("IVF10,PQ16x4fs,RFlat", Metric::kL2, 1000, 768)->has_lists);
  EXPECT_FALSE(CheckFactory("PCA16,SQ8", Metric::kL2, 1000, 768)->has_lists);
}

// Forms beside AllForms() that take longer, or go to a limit.
const std::vector<std::string>& MoreForms() {
  static const auto* const kForms = new std::vector<std::string>{
      "PQ1x1",
      "PQ32x1np",
      "PQ2",
      "IVF4,PQ2",
      "OPQ2,PQ2",
      "HNSW2",
      "HNSW512",
      "HNSW16_PQ4np",
      "HNSW8_SQfp16",
      "HNSW8_SQ6",
      "HNSW16_PQ2",
      "IMI2x1,Flat",
      "IMI2x4,Flat",

      "IMI2x3,PQ8np",
      "IMI2x3,SQ8",
      "IMI2x2,PQ8x4fs",
      "IMI2x3,Flat,RFlat",
      "IVF1,Flat",
      "IVF300,Flat",
      "IVF1,PQ1x4fs",
      "PQ1x4fs",
      "PQ32x4fs",
      "IVF300,PQ32x4fsr",
      "IVF299_HNSW2,Flat",
      "PCA32,PQ8x4fs",
      "PCA1,IVF4,Flat",
      "RR1,Flat",
      "OPQ32,PQ32x4fs",
      "OPQ1_1,Flat",
      "L2norm,L2norm,Flat",
      "RR32,PCA16,OPQ4_8,IVF4,PQ4x4fs,RFlat",
      "OPQ4,HNSW16_SQ8",
      "IVF4,PQ32x8np",
      "IVF300_HNSW512,PQ1x4fsr",
      "PQ3x4",
      "IVF3,PQ3x4fs",
      "LSH",
      "LSHt",
      "LSHr",
      "LSHrt,RFlat",
      "PCA16,LSH",
  };
  return *kForms;
}

// A clean error or an index that works; the process lives either way.
void TryForm(const std::string& form, Metric metric, const Frames& frames) {
  SCOPED_TRACE(form + " " + std::string(MetricName(metric)) + " over " + std::to_string(frames.rows()) + " rows");
  auto index = TryBuild(RecipeOf(form, metric), frames);
  if (!index.ok()) {
    EXPECT_EQ(ReasonOf(index.status()), "BAD_PARAMETER") << index.status();
    return;
  }
  const Frames queries = SpeechLike(20, frames.dimension, 5);
  for (const int k : {1, 8, static_cast<int>(frames.rows()) + 3}) {
    for (const int64_t id : MustSearch(**index, queries.view(), {k, {}, {}}).ids) {
      ASSERT_GE(id, -1);
      ASSERT_LT(id, frames.rows());
    }
  }
  ASSERT_TRUE((*index)->Add(queries.view()).ok());
  EXPECT_EQ((*index)->rows(), frames.rows() + 20);
  for (const int64_t id : MustSearch(**index, queries.view()).ids) ASSERT_LT(id, frames.rows() + 20);
}

std::vector<std::string> EverythingAllowed() {
  std::vector<std::string> all = AllForms();
  all.insert(all.end(), MoreForms().begin(), MoreForms().end());
  return all;
}

class AllowedForms : public ::testing::TestWithParam<Metric> {};

TEST_P(AllowedForms, WorkOrAreRefused) {
  for (const std::string& form : EverythingAllowed()) TryForm(form, GetParam(), SpeechLike(300, 32));
}

TEST_P(AllowedForms, SurviveRowsThatAreAlike) {
  const Frames alike{32, std::vector<float>(32 * 260, GetParam() == Metric::kCosine ? 0.0f : 0.25f)};
  for (const std::string& form : EverythingAllowed()) TryForm(form, GetParam(), alike);
}

TEST_P(AllowedForms, SurviveRowsOfEveryScale) {
  Frames frames = SpeechLike(260, 32);
  for (size_t i = 0; i < frames.values.size(); i += 7) frames.values[i] *= 1e11f;
  for (size_t i = 1; i < frames.values.size(); i += 5) frames.values[i] *= 1e-35f;
  for (const std::string& form : EverythingAllowed()) TryForm(form, GetParam(), frames);
}

KITH_EVERY_METRIC(AllowedForms);

}  // namespace
}  // namespace kith::retrieval
