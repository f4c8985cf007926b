#include "tests/integration/fixture.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <random>
#include <stdexcept>
#include <thread>

#include "client/cpp/status.h"
#include "server/base/ids.h"
#include "server/retrieval/build.h"
#include "server/retrieval/platform.h"

namespace kith::testing {
namespace {

// Throws where it failed: no test goes on without what it asked for.
template <typename Value>
Value Expected(absl::StatusOr<Value> value) {
  EXPECT_TRUE(value.ok()) << value.status();
  if (!value.ok()) throw std::runtime_error(value.status().ToString());
  return *std::move(value);
}

}  // namespace

retrieval::Frames Rows(const retrieval::Frames& frames, int64_t first, int64_t count) {
  const auto values = frames.view().Slice(first, count).values();
  return {frames.dimension, {values.begin(), values.end()}};
}

retrieval::Frames Joined(const retrieval::Frames& first, const retrieval::Frames& second) {
  retrieval::Frames joined = first;
  joined.values.insert(joined.values.end(), second.values.begin(), second.values.end());
  return joined;
}

retrieval::Frames QueriesNear(const retrieval::Frames& frames, int64_t rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> noise(0.0f, 0.1f);
  retrieval::Frames queries{frames.dimension, {}};
  for (int64_t i = 0; i < rows; ++i) {
    const float* row = frames.view().row(static_cast<int64_t>(random() % frames.rows()));
    for (int j = 0; j < frames.dimension; ++j) queries.values.push_back(row[j] + noise(random));
  }
  return queries;
}

void FillRaw(const retrieval::Frames& frames, v1::FloatBatch* batch) {
  batch->set_dimension(frames.dimension);
  batch->set_raw(frames.values.data(), frames.values.size() * sizeof(float));
}

void FillValues(const retrieval::Frames& frames, v1::FloatBatch* batch) {
  batch->set_dimension(frames.dimension);
  batch->mutable_values()->Assign(frames.values.begin(), frames.values.end());
}

absl::Status ToStatus(const grpc::Status& status) { return client::FromGrpc(status, "the server"); }

std::unique_ptr<retrieval::Index> BuildHere(const retrieval::Recipe& recipe, const retrieval::Frames& frames) {
  retrieval::SetThreadsOfThisThread(1);
  auto index = retrieval::BuildIndex(recipe, frames.view(), [](auto...) { return true; });
  if (!index.ok()) throw std::runtime_error(index.status().ToString());
  return *std::move(index);
}

retrieval::Neighbors SearchHere(const retrieval::Index& index, const retrieval::Frames& queries,
                                const retrieval::SearchOptions& options) {
  const auto params = index.Resolve(options);
  if (!params.ok()) throw std::runtime_error(params.status().ToString());
  auto neighbors = index.Search(queries.view(), *params);
  if (!neighbors.ok()) throw std::runtime_error(neighbors.status().ToString());
  return *std::move(neighbors);
}

void ExpectNear(const std::vector<float>& values, const std::vector<float>& expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(values[i], expected[i], 1e-4 * std::max(1.0f, std::abs(expected[i]))) << "at " << i;
  }
}

void ExpectSame(const SearchResult& result, const retrieval::Neighbors& expected) {
  EXPECT_EQ(result.k, expected.k);
  ASSERT_EQ(result.ids, expected.ids);
  ExpectNear(result.distances, expected.distances);
}

IntegrationTest::IntegrationTest()
    : data_dir_(std::filesystem::path(::testing::TempDir()) / ("kith-integration-" + RandomId())) {
  retrieval::InitializeFaiss();
  std::filesystem::create_directories(data_dir_);
}

IntegrationTest::~IntegrationTest() {
  Stop();
  std::filesystem::remove_all(data_dir_);
}

void IntegrationTest::Start() {
  service_ = std::make_unique<Service>(data_dir_.string(), options_);
  ClientOptions options;
  options.target = service_->address();
  options.connect_timeout = absl::Seconds(60);
  options.unary_timeout = absl::Seconds(240);
  client_ = std::make_unique<Client>(options);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel_ = grpc::CreateCustomChannel(service_->address(), grpc::InsecureChannelCredentials(), arguments);
  retrieval_ = v1::Retrieval::NewStub(channel_);
  experiments_ = v1::Experiments::NewStub(channel_);
}

void IntegrationTest::Stop() {
  experiments_.reset();
  retrieval_.reset();
  channel_.reset();
  client_.reset();
  service_.reset();
}

void IntegrationTest::Restart() {
  Stop();
  Start();
}

Experiment IntegrationTest::Train(const std::string& name, const retrieval::Frames& frames, const Recipe& recipe) {
  MemorySource source(View(frames));
  TrainOptions options;
  options.recipe = recipe;
  auto built = client().Train(name, source, options);
  return Expected(std::move(built));
}

AddResult IntegrationTest::Add(const std::string& name, const retrieval::Frames& frames,
                               const std::string& request_id) {
  MemorySource source(View(frames));
  auto added = client().Add(name, source, request_id);
  return Expected(std::move(added));
}

SearchResult IntegrationTest::Search(const std::string& name, const retrieval::Frames& queries,
                                     const SearchParams& params) {
  auto found = client().Search(name, View(queries), params);
  return Expected(std::move(found));
}

ExpandResult IntegrationTest::Expand(const std::string& name, const retrieval::Frames& queries,
                                     const ExpandParams& params) {
  auto blended = client().Expand(name, View(queries), params);
  return Expected(std::move(blended));
}

Experiment IntegrationTest::Get(const std::string& name) {
  auto experiment = client().Get(name);
  return Expected(std::move(experiment));
}

absl::Status IntegrationTest::RawSearch(const v1::SearchRequest& request, v1::SearchResponse* response) {
  grpc::ClientContext context;
  return ToStatus(retrieval_->Search(&context, request, response));
}

absl::Status IntegrationTest::RawExpand(const v1::ExpandRequest& request, v1::ExpandResponse* response) {
  grpc::ClientContext context;
  return ToStatus(retrieval_->Expand(&context, request, response));
}

std::unique_ptr<RawTrain> IntegrationTest::StartUpload(const std::string& name, const retrieval::Frames& frames) {
  auto train = std::make_unique<RawTrain>([this](auto* context) { return retrieval_->Train(context); });
  v1::TrainRequest request;
  request.set_experiment(name);
  FillRaw(frames, request.mutable_frames());
  v1::TrainResponse response;
  EXPECT_TRUE((*train)->Write(request));
  EXPECT_TRUE((*train)->Read(&response));
  EXPECT_EQ(response.phase(), v1::PHASE_RECEIVING);
  EXPECT_EQ(response.done(), frames.rows());
  return train;
}

}  // namespace kith::testing
