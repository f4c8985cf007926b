// Uploads that are wrong, by Train and by Add: each is told what was wrong, and the server holds what it held.
#include <limits>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

v1::FloatBatch Batch(int dimension, const std::vector<float>& values) {
  v1::FloatBatch batch;
  FillRaw({dimension, values}, &batch);
  return batch;
}

class BadUploadTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", frames_);
  }
  void TearDown() override {
    EXPECT_EQ(client().List()->size(), 1u) << "nothing of a refused upload stays";
    const Experiment experiment = Get("voice");
    EXPECT_EQ(experiment.generation, 1);
    EXPECT_EQ(experiment.rows, 100);
    EXPECT_FALSE(experiment.training);
    EXPECT_EQ(Search("voice", Rows(frames_, 42, 1)).ids.front(), 42);
    EXPECT_EQ(Train("voice", frames_).generation, 2);
    EXPECT_EQ(Add("voice", Rows(frames_, 0, 1)).first_id, 100);
  }

  // What becomes of an upload of these batches; the first message has the first one.
  absl::Status TrainWith(const std::vector<v1::FloatBatch>& batches, const v1::TrainRequest& opening) {
    RawTrain train = OpenTrain();
    v1::TrainRequest request = opening;
    for (const v1::FloatBatch& batch : batches) {
      *request.mutable_frames() = batch;
      if (!train->Write(request)) break;
      request.Clear();
    }
    if (batches.empty()) train->Write(request);
    train->WritesDone();
    v1::TrainResponse response;
    while (train->Read(&response)) {
    }
    return train.Finish();
  }
  absl::Status TrainWith(const std::vector<v1::FloatBatch>& batches) {
    v1::TrainRequest opening;
    opening.set_experiment("voice");
    return TrainWith(batches, opening);
  }
  absl::Status TrainWith(const v1::Recipe& recipe) {
    v1::TrainRequest opening;
    opening.set_experiment("voice");
    *opening.mutable_recipe() = recipe;
    v1::FloatBatch batch;
    FillRaw(frames_, &batch);
    return TrainWith({batch}, opening);
  }
  absl::Status TrainNamed(const std::string& name) {
    v1::TrainRequest opening;
    opening.set_experiment(name);
    return TrainWith({Batch(2, {1, 2})}, opening);
  }

  absl::Status AddWith(const std::vector<v1::AddRequest>& requests) {
    v1::AddResponse response;
    RawAdd add = OpenAdd(&response);
    for (const v1::AddRequest& request : requests) {
      if (!add->Write(request)) break;
    }
    add->WritesDone();
    return add.Finish();
  }
  absl::Status AddWith(const std::vector<v1::FloatBatch>& batches) {
    std::vector<v1::AddRequest> requests(batches.size());
    for (size_t i = 0; i < batches.size(); ++i) *requests[i].mutable_frames() = batches[i];
    requests.front().set_experiment("voice");
    return AddWith(requests);
  }

  const retrieval::Frames frames_ = SpeechLike(100, 16);
  const v1::FloatBatch good_ = Batch(16, SpeechLike(2, 16).values);
};

TEST_F(BadUploadTest, AStreamWithoutAnyMessage) {
  RawTrain train = OpenTrain();
  train->WritesDone();
  v1::TrainResponse response;
  EXPECT_FALSE(train->Read(&response));
  EXPECT_THAT(train.Finish(), IsInvalid("BAD_PARAMETER", "the first one names the experiment"));
  EXPECT_THAT(AddWith(std::vector<v1::AddRequest>()), IsInvalid("BAD_PARAMETER", "the first one names the experiment"));
}

TEST_F(BadUploadTest, NothingButAFirstMessage) {
  v1::TrainRequest opening;
  opening.set_experiment("new");
  EXPECT_THAT(TrainWith({}, opening), FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "'new'"));
  v1::AddRequest add;
  add.set_experiment("voice");
  EXPECT_THAT(AddWith(std::vector<v1::AddRequest>{add}), IsInvalid("EMPTY_BATCH", "no rows to add"));
}

TEST_F(BadUploadTest, ADimensionThatChangesOnTheWay) {
  const std::vector<v1::FloatBatch> batches = {good_, Batch(8, std::vector<float>(8))};
  EXPECT_THAT(TrainWith(batches), IsInvalid("DIMENSION_MISMATCH", "8 dimensions follow rows of 16"));
  EXPECT_THAT(AddWith(batches), IsInvalid("DIMENSION_MISMATCH", "8 dimensions follow rows of 16"));
}

TEST_F(BadUploadTest, ANanOrAnInfinityIsNamedByItsRowInTheWholeUpload) {
  for (const float bad : {kNan, std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(3 * 16);
    values[20] = bad;
    const std::vector<v1::FloatBatch> batches = {good_, good_, Batch(16, values)};
    EXPECT_THAT(TrainWith(batches), IsInvalid("NOT_FINITE", "row 5 "));
    EXPECT_THAT(AddWith(batches), IsInvalid("NOT_FINITE", "row 5 "));
  }
}

TEST_F(BadUploadTest, BatchesThatAreNone) {
  v1::FloatBatch both = good_;
  both.mutable_values()->Resize(32, 0);
  v1::FloatBatch odd = good_;
  odd.mutable_raw()->pop_back();
  for (const v1::FloatBatch& bad : {both, odd, Batch(16, std::vector<float>(17)), Batch(0, {1, 2}), Batch(-1, {1})}) {
    EXPECT_THAT(TrainWith({bad}), IsInvalid("BAD_BATCH", "frames"));
    EXPECT_THAT(TrainWith({good_, bad}), IsInvalid("BAD_BATCH", "frames"));
    EXPECT_THAT(AddWith(std::vector<v1::FloatBatch>{bad}), IsInvalid("BAD_BATCH", "frames"));
    EXPECT_THAT(AddWith({good_, bad}), IsInvalid("BAD_BATCH", "frames"));
  }
  EXPECT_THAT(TrainWith({good_, v1::FloatBatch()}), IsInvalid("EMPTY_BATCH", "no rows"));
  EXPECT_THAT(AddWith({good_, v1::FloatBatch()}), IsInvalid("EMPTY_BATCH", "no rows"));
}

TEST_F(BadUploadTest, ALaterMessageThatSpeaksOfSomethingElse) {
  RawTrain train = OpenTrain();
  v1::TrainRequest request;
  request.set_experiment("voice");
  *request.mutable_frames() = good_;
  ASSERT_TRUE(train->Write(request));
  request.set_experiment("another");
  train->Write(request);
  v1::TrainResponse response;
  while (train->Read(&response)) {
  }
  EXPECT_THAT(train.Finish(), IsInvalid("BAD_PARAMETER", "belong into the first message"));

  std::vector<v1::AddRequest> requests(2);
  for (auto& add : requests) *add.mutable_frames() = good_;
  requests[0].set_experiment("voice");
  requests[1].set_experiment("another");
  EXPECT_THAT(AddWith(requests), IsInvalid("BAD_PARAMETER", "belong into the first message"));
}

// Bytes that are no message end a read as a half-close does; what came before must not be taken for the whole.
TEST_F(BadUploadTest, AMessageThatCannotBeParsed) {
  RawTrain train = OpenTrain();
  v1::TrainRequest request;
  request.set_experiment("voice");
  *request.mutable_frames() = good_;
  ASSERT_TRUE(train->Write(request));
  request.Clear();
  request.set_request_id("\xff");  // a string has to be UTF-8
  train->Write(request);
  train->WritesDone();
  v1::TrainResponse response;
  while (train->Read(&response)) {
  }
  EXPECT_THAT(train.Finish(), IsInvalid("BAD_PARAMETER", "cannot be parsed"));

  std::vector<v1::AddRequest> requests(2);
  requests[0].set_experiment("voice");
  *requests[0].mutable_frames() = good_;
  requests[1].set_request_id("\xff");
  EXPECT_THAT(AddWith(requests), IsInvalid("BAD_PARAMETER", "cannot be parsed"));
}

TEST_F(BadUploadTest, NamesThatNoExperimentMayHave) {
  EXPECT_THAT(TrainNamed(""), IsInvalid("BAD_PARAMETER", "a name is missing"));
  EXPECT_THAT(TrainNamed("a/b"), IsInvalid("BAD_PARAMETER", "'/'"));
  EXPECT_THAT(TrainNamed("a\nb"), IsInvalid("BAD_PARAMETER", "control"));
  EXPECT_THAT(TrainNamed("a\x7f"), IsInvalid("BAD_PARAMETER", "control"));
  EXPECT_THAT(TrainNamed(std::string("a\0b", 3)), IsInvalid("BAD_PARAMETER", "control"));
  EXPECT_THAT(TrainNamed(std::string(129, 'n')), IsInvalid("BAD_PARAMETER", "129 bytes"));
  EXPECT_THAT(TrainNamed("\xff"), IsInvalid("BAD_PARAMETER", ""));
}

TEST_F(BadUploadTest, RecipesThatCannotBe) {
  const auto with = [](auto set) {
    v1::Recipe recipe;
    set(&recipe);
    return recipe;
  };
  EXPECT_THAT(TrainWith(with([](auto* r) { r->set_name("rvc-1999"); })), IsInvalid("BAD_PARAMETER", "rvc-1999"));
  EXPECT_THAT(TrainWith(with([](auto* r) { r->set_factory("IVF4,Nonsense"); })),
              IsInvalid("BAD_PARAMETER", "Nonsense"));
  EXPECT_THAT(TrainWith(with([](auto* r) { r->set_factory("IVF0,Flat"); })), IsInvalid("BAD_PARAMETER", "IVF0"));
  EXPECT_THAT(TrainWith(with([](auto* r) { r->set_factory("PQ0"); })), IsInvalid("BAD_PARAMETER", "PQ0"));
  EXPECT_THAT(TrainWith(with([](auto* r) { r->set_factory("IVF101,Flat"); })), IsInvalid("BAD_PARAMETER", "101"));
  EXPECT_THAT(TrainWith(with([](auto* r) {
                r->set_name("rvc");
                r->set_factory("Flat");
              })),
              IsInvalid("BAD_PARAMETER", "exclude each other"));
  EXPECT_THAT(TrainWith(with([](auto* r) { r->set_nprobe(0); })), IsInvalid("BAD_PARAMETER", "recipe.nprobe"));
  EXPECT_THAT(TrainWith(with([](auto* r) { r->set_k_factor(kNan); })), IsInvalid("BAD_PARAMETER", "recipe.k_factor"));
  EXPECT_THAT(TrainWith(with([](auto* r) { r->set_metric(static_cast<v1::Metric>(9)); })),
              IsInvalid("BAD_PARAMETER", "recipe.metric"));
  EXPECT_THAT(TrainWith(with([](auto* r) { r->mutable_compression(); })), IsInvalid("BAD_PARAMETER", "compression"));
}

class UploadLimitTest : public BadUploadTest {
 protected:
  UploadLimitTest() {
    options_.limits.message_bytes = 65536;
    options_.limits.experiments = 1;
  }
};

TEST_F(UploadLimitTest, AMessageAboveTheLimit) {
  const v1::FloatBatch large = Batch(16, std::vector<float>(65536 / 4));
  EXPECT_THAT(TrainWith({good_, large}), FailsWith(absl::StatusCode::kResourceExhausted, "", "larger than max"));
  EXPECT_THAT(AddWith({good_, large}), FailsWith(absl::StatusCode::kResourceExhausted, "", "larger than max"));
}

TEST_F(UploadLimitTest, MoreExperimentsThanThereMayBe) {
  EXPECT_THAT(TrainNamed("second"),
              FailsWith(absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET", "limits.experiments"));
}

}  // namespace
}  // namespace kith::testing
