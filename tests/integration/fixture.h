// What the integration tests have in common: a server over a temporary folder, a client of each kind, and what is
// expected of their answers.
#pragma once

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "kith/v1/experiments.grpc.pb.h"
#include "kith/v1/retrieval.grpc.pb.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/index.h"
#include "tests/integration/service.h"
#include "tests/support/frames.h"
#include "tests/support/wait_until.h"

namespace kith::testing {

// A failed absl::Status with this code and reason, whose message has `text` in it.
MATCHER_P3(FailsWith, code, reason, text, "") {
  *result_listener << arg.ToString() << " with reason " << ErrorReason(arg);
  return arg.code() == code && ErrorReason(arg) == reason && std::string(arg.message()).find(text) != std::string::npos;
}

// Of INVALID_ARGUMENT, which most wrong requests are.
MATCHER_P2(IsInvalid, reason, text, "") {
  *result_listener << arg.ToString() << " with reason " << ErrorReason(arg);
  return arg.code() == absl::StatusCode::kInvalidArgument && ErrorReason(arg) == reason &&
         std::string(arg.message()).find(text) != std::string::npos;
}

inline FramesView View(const retrieval::Frames& frames) { return {frames.values, frames.dimension}; }

// Rows first to first + count - 1.
retrieval::Frames Rows(const retrieval::Frames& frames, int64_t first, int64_t count);

// The rows of one behind those of the other.
retrieval::Frames Joined(const retrieval::Frames& first, const retrieval::Frames& second);

// Queries that lie near the frames, but are none of them.
retrieval::Frames QueriesNear(const retrieval::Frames& frames, int64_t rows, uint64_t seed);

void FillRaw(const retrieval::Frames& frames, v1::FloatBatch* batch);
void FillValues(const retrieval::Frames& frames, v1::FloatBatch* batch);

// What a finished call said, with its reason and retry delay.
absl::Status ToStatus(const grpc::Status& status);

// What an index built in this process from the same recipe and frames says, without any server.
std::unique_ptr<retrieval::Index> BuildHere(const retrieval::Recipe& recipe, const retrieval::Frames& frames);
retrieval::Neighbors SearchHere(const retrieval::Index& index, const retrieval::Frames& queries,
                                const retrieval::SearchOptions& options = {});

// The ids are equal, the distances within float rounding.
void ExpectSame(const SearchResult& result, const retrieval::Neighbors& expected);
void ExpectNear(const std::vector<float>& values, const std::vector<float>& expected);

// Why a stream could not be opened. The client may hear of it at once, or with its first answer.
template <typename Stream>
absl::Status Refusal(absl::StatusOr<std::unique_ptr<Stream>> stream) {
  return stream.ok() ? (*stream)->Read().status() : stream.status();
}

// A call that streams requests, by the generated stub.
template <typename Stream>
class RawCall {
 public:
  template <typename Start>  // start(grpc::ClientContext*) -> std::unique_ptr<Stream>
  explicit RawCall(Start start) : stream_(start(&context_)) {}
  ~RawCall() {
    if (finished_) return;
    context_.TryCancel();
    (void)Finish();
  }
  RawCall(const RawCall&) = delete;
  RawCall& operator=(const RawCall&) = delete;

  Stream* operator->() { return stream_.get(); }
  void GoAway() { context_.TryCancel(); }

  // How the call ended; all answers have to be read.
  absl::Status Finish() {
    finished_ = true;
    return ToStatus(stream_->Finish());
  }

 private:
  grpc::ClientContext context_;
  const std::unique_ptr<Stream> stream_;
  bool finished_ = false;
};

using RawTrain = RawCall<grpc::ClientReaderWriter<v1::TrainRequest, v1::TrainResponse>>;
using RawAdd = RawCall<grpc::ClientWriter<v1::AddRequest>>;
using RawStreamSearch = RawCall<grpc::ClientReaderWriter<v1::StreamSearchRequest, v1::StreamSearchResponse>>;
using RawStreamExpand = RawCall<grpc::ClientReaderWriter<v1::StreamExpandRequest, v1::StreamExpandResponse>>;

class IntegrationTest : public ::testing::Test {
 protected:
  IntegrationTest();
  ~IntegrationTest() override;
  void SetUp() override { Start(); }

  // Serves the data folder with options_, to new clients.
  void Start();
  void Stop();
  void Restart();

  const std::filesystem::path& data_dir() const { return data_dir_; }
  Service& service() { return *service_; }
  Client& client() { return *client_; }
  v1::Retrieval::Stub& retrieval() { return *retrieval_; }
  v1::Experiments::Stub& experiments() { return *experiments_; }
  std::shared_ptr<grpc::Channel> channel() const { return channel_; }

  // These expect success, and throw without it.
  Experiment Train(const std::string& name, const retrieval::Frames& frames, const Recipe& recipe = {});
  AddResult Add(const std::string& name, const retrieval::Frames& frames, const std::string& request_id = "");
  SearchResult Search(const std::string& name, const retrieval::Frames& queries, const SearchParams& params = {});
  ExpandResult Expand(const std::string& name, const retrieval::Frames& queries, const ExpandParams& params = {});
  Experiment Get(const std::string& name);

  // By the generated stub, with nothing checked on the way.
  absl::Status RawSearch(const v1::SearchRequest& request, v1::SearchResponse* response);
  absl::Status RawExpand(const v1::ExpandRequest& request, v1::ExpandResponse* response);
  RawTrain OpenTrain() {
    return RawTrain([this](auto* context) { return retrieval_->Train(context); });
  }
  RawAdd OpenAdd(v1::AddResponse* response) {
    return RawAdd([=](auto* context) { return retrieval_->Add(context, response); });
  }
  RawStreamSearch OpenStreamSearch() {
    return RawStreamSearch([this](auto* context) { return retrieval_->StreamSearch(context); });
  }
  RawStreamExpand OpenStreamExpand() {
    return RawStreamExpand([this](auto* context) { return retrieval_->StreamExpand(context); });
  }

  // Opens a Train of `name`, sends `frames`, and waits until the server has them: it holds the experiment now.
  std::unique_ptr<RawTrain> StartUpload(const std::string& name, const retrieval::Frames& frames);

  ServiceOptions options_;

 private:
  std::filesystem::path data_dir_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Client> client_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Retrieval::Stub> retrieval_;
  std::unique_ptr<v1::Experiments::Stub> experiments_;
};

}  // namespace kith::testing
