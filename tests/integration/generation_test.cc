// Generations: which one answers, the way back to an earlier one, and what happens when one is damaged.
#include <filesystem>
#include <fstream>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

class GenerationTest : public IntegrationTest {
 protected:
  // Generation 1 with an addition, then generation 2.
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", first_);
    Add("voice", more_);
    Train("voice", second_);
  }

  int64_t GenerationOfAStream() {
    const auto stream = client().StreamExpand("voice");
    EXPECT_TRUE(stream.ok()) << stream.status();
    EXPECT_TRUE((*stream)->Write(1, View(Rows(first_, 0, 1))).ok());
    const auto answer = (*stream)->Read();
    EXPECT_TRUE(answer.ok() && answer->has_value()) << answer.status();
    return (*answer)->result.generation;
  }

  int64_t GenerationOfAnExport() {
    grpc::ClientContext context;
    v1::ExportRequest request;
    request.set_name("voice");
    const auto reader = experiments().Export(&context, request);
    v1::ExportResponse response;
    EXPECT_TRUE(reader->Read(&response));
    const int64_t generation = response.generation();
    while (reader->Read(&response)) {
    }
    EXPECT_TRUE(reader->Finish().ok());
    return generation;
  }

  int64_t GenerationOfFrames() {
    grpc::ClientContext context;
    v1::GetFramesRequest request;
    request.set_name("voice");
    const auto reader = experiments().GetFrames(&context, request);
    v1::GetFramesResponse response;
    EXPECT_TRUE(reader->Read(&response));
    const int64_t generation = response.generation();
    while (reader->Read(&response)) {
    }
    EXPECT_TRUE(reader->Finish().ok());
    return generation;
  }

  void ExpectEveryAnswerIsOf(int64_t generation) {
    EXPECT_EQ(Search("voice", Rows(first_, 0, 1)).generation, generation);
    EXPECT_EQ(Expand("voice", Rows(first_, 0, 1)).generation, generation);
    EXPECT_EQ(GenerationOfAStream(), generation);
    EXPECT_EQ(GenerationOfAnExport(), generation);
    EXPECT_EQ(GenerationOfFrames(), generation);
    EXPECT_EQ(Get("voice").generation, generation);
  }

  // Of the snapshot with the largest index, which is generation 2's.
  void DamageTheLargestIndex() {
    fs::path largest;
    for (const auto& entry : fs::recursive_directory_iterator(data_dir() / "snapshots")) {
      if (entry.path().filename() != "index.faiss") continue;
      if (largest.empty() || fs::file_size(entry.path()) > fs::file_size(largest)) largest = entry.path();
    }
    std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(200);
    file.write("damage", 6);
  }

  const retrieval::Frames first_ = SpeechLike(200, 16);
  const retrieval::Frames more_ = SpeechLike(30, 16, 2);
  const retrieval::Frames second_ = SpeechLike(500, 16, 3);
};

TEST_F(GenerationTest, EveryAnswerSaysWhichOneGaveIt) {
  ExpectEveryAnswerIsOf(2);
  ASSERT_TRUE(client().Rollback("voice").ok());
  ExpectEveryAnswerIsOf(1);
  EXPECT_EQ(Add("voice", more_).generation, 1);
  Restart();
  ExpectEveryAnswerIsOf(1);
}

TEST_F(GenerationTest, ARollbackBringsAGenerationBackAsItLastWas) {
  Add("voice", Rows(more_, 0, 7));  // to generation 2, with which it stays
  const auto back = client().Rollback("voice");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->generation, 1);
  EXPECT_EQ(back->rows, 230);
  EXPECT_EQ(Search("voice", Rows(more_, 11, 1)).ids.front(), 211);
  const auto forth = client().Rollback("voice", 2);
  ASSERT_TRUE(forth.ok()) << forth.status();
  EXPECT_EQ(forth->generation, 2);
  EXPECT_EQ(forth->rows, 507);
  EXPECT_EQ(Search("voice", Rows(more_, 3, 1)).ids.front(), 503);
  EXPECT_EQ(Train("voice", first_).generation, 3) << "a number is never given twice";
}

TEST_F(GenerationTest, AStreamGoesOnWithTheOneThatIsCurrent) {
  const auto stream = client().StreamSearch("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  for (const int64_t generation : {2, 1}) {
    ASSERT_TRUE((*stream)->Write(generation, View(Rows(first_, 0, 1))).ok());
    const auto answer = (*stream)->Read();
    ASSERT_TRUE(answer.ok() && answer->has_value()) << answer.status();
    EXPECT_EQ((*answer)->result.generation, generation);
    if (generation == 2) {
      ASSERT_TRUE(client().Rollback("voice").ok());
    }
  }
}

TEST_F(GenerationTest, TheyAreListedTheCurrentOneFirst) {
  auto generations = client().Generations("voice");
  ASSERT_TRUE(generations.ok()) << generations.status();
  ASSERT_EQ(generations->size(), 2u);
  EXPECT_EQ(generations->at(0).number, 2);
  EXPECT_TRUE(generations->at(0).current);
  EXPECT_EQ(generations->at(1).rows, 230);
  EXPECT_FALSE(generations->at(1).current);
  EXPECT_GT(generations->at(1).disk_bytes, 0);
  ASSERT_TRUE(client().Rollback("voice").ok());
  Train("voice", second_);  // keeps the two that were current last
  generations = client().Generations("voice");
  ASSERT_EQ(generations->size(), 2u);
  EXPECT_EQ(generations->at(0).number, 3);
  EXPECT_EQ(generations->at(1).number, 1);
}

TEST_F(GenerationTest, WhatCannotBeRolledBackSaysWhy) {
  EXPECT_THAT(client().Rollback("voice", 99).status(), IsInvalid("BAD_PARAMETER", "2, 1"));
  EXPECT_THAT(client().Rollback("voice", -1).status(), IsInvalid("BAD_PARAMETER", ""));
  Train("single", first_);
  EXPECT_THAT(client().Rollback("single").status(), IsInvalid("BAD_PARAMETER", ""));
  const auto not_found = FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "'nobody'");
  EXPECT_THAT(client().Rollback("nobody").status(), not_found);
  EXPECT_THAT(client().Generations("nobody").status(), not_found);
  const auto training = StartUpload("voice", first_);
  EXPECT_THAT(client().Rollback("voice").status(),
              FailsWith(absl::StatusCode::kAborted, "TRAINING_IN_PROGRESS", "'voice' is being trained"));
  EXPECT_EQ(Get("voice").generation, 2);
}

TEST_F(GenerationTest, ADamagedOneFallsBackToTheOneBeforeAndSaysSo) {
  Stop();
  DamageTheLargestIndex();
  Start();
  EXPECT_EQ(Search("voice", Rows(more_, 11, 1)).ids.front(), 211);
  const Experiment degraded = Get("voice");
  EXPECT_EQ(degraded.state, Experiment::State::kDegraded);
  EXPECT_THAT(degraded.message, HasSubstr("index.faiss"));
  EXPECT_EQ(Search("voice", Rows(first_, 0, 1)).generation, 1);
  MemorySource source(View(more_));
  EXPECT_THAT(client().Add("voice", source).status(),
              FailsWith(absl::StatusCode::kDataLoss, "STORAGE", "kith rollback"));

  const auto back = client().Rollback("voice");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->state, Experiment::State::kReady);
  EXPECT_EQ(Add("voice", more_).first_id, 230);
  EXPECT_THAT(client().Rollback("voice", 2).status(), FailsWith(absl::StatusCode::kDataLoss, "STORAGE", "index.faiss"));
  EXPECT_EQ(Search("voice", Rows(first_, 0, 1)).generation, 1);
  EXPECT_EQ(Get("voice").state, Experiment::State::kReady);
}

}  // namespace
}  // namespace kith::testing
