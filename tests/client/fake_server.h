// A server in this process that answers as a test wants it to: no index, only arithmetic.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "kith/v1/retrieval.grpc.pb.h"
#include "tests/client/fake_error.h"
#include "tests/client/fake_experiments.h"

namespace kith::test {

inline int64_t RowsOf(const v1::FloatBatch& batch) {
  return static_cast<int64_t>(batch.raw().size() / sizeof(float)) / batch.dimension();
}

// What Expand does here: every value plus one.
inline void AddOne(const v1::FloatBatch& in, v1::FloatBatch* out) {
  *out = in;
  auto* values = reinterpret_cast<float*>(out->mutable_raw()->data());
  for (size_t i = 0; i < out->raw().size() / sizeof(float); ++i) values[i] += 1;
}

class FakeRetrieval : public v1::Retrieval::Service {
 public:
  // Called first in every unary call and stream; an error ends it. Set before the first call.
  std::function<grpc::Status()> before = [] { return grpc::Status::OK; };
  // The status of a block in a stream. Set before the first call.
  std::function<grpc::Status(int64_t sequence)> block_status = [](int64_t) { return grpc::Status::OK; };
  // A stream ends with UNAVAILABLE after so many blocks. 0: never.
  std::atomic<int> blocks_a_stream{0};

  // More rows in a Search or Expand are refused, as kithd does. Set before the first call.
  int64_t limit_rows = 8192;

  // What was seen so far.
  std::vector<int64_t> request_rows() const { return Copy(request_rows_); }
  std::vector<std::string> request_ids() const { return Copy(request_ids_); }
  std::string metadata() const { return Copy(metadata_); }
  v1::ExpandParams expand_params() const { return Copy(expand_params_); }  // of the last Expand or opened stream
  v1::SearchParams search_params() const { return Copy(search_params_); }  // of the last Search
  v1::Recipe recipe() const { return Copy(recipe_); }                      // of the last Train
  std::atomic<int> streams{0};
  std::atomic<bool> train_cancelled{false};
  int64_t generation_steps = 0;  // the generation changes after the first request, so many times

  grpc::Status Train(grpc::ServerContext* context,
                     grpc::ServerReaderWriter<v1::TrainResponse, v1::TrainRequest>* stream) override {
    Note(context);
    v1::TrainRequest request;
    stream->Read(&request);
    const std::string name = request.experiment();
    Keep(request.recipe(), &recipe_);
    if (grpc::Status status = before(); !status.ok()) return status;
    int64_t rows = 0;
    while (stream->Read(&request)) rows += NoteRows(request.frames());
    // Half-closed, or gone: only a client that is still there can be sent something.
    if (!Report(stream, v1::PHASE_RECEIVING, rows)) {
      train_cancelled = true;
      return grpc::Status::CANCELLED;
    }
    Report(stream, v1::PHASE_QUEUED, 0);
    Report(stream, v1::PHASE_TRAINING, 10);
    v1::TrainResponse done;
    done.set_phase(v1::PHASE_DONE);
    done.mutable_experiment()->set_name(name);
    done.mutable_experiment()->set_rows(rows);
    done.mutable_experiment()->set_generation(1);
    done.mutable_experiment()->set_factory("Flat");
    stream->Write(done);
    return grpc::Status::OK;
  }

  grpc::Status Add(grpc::ServerContext* context, grpc::ServerReader<v1::AddRequest>* reader,
                   v1::AddResponse* response) override {
    Note(context);
    v1::AddRequest request;
    reader->Read(&request);
    {
      std::lock_guard lock(mutex_);
      request_ids_.push_back(request.request_id());
    }
    if (grpc::Status status = before(); !status.ok()) return status;
    int64_t rows = 0;
    while (reader->Read(&request)) rows += NoteRows(request.frames());
    response->set_first_id(100);
    response->set_rows(rows);
    response->set_total_rows(100 + rows);
    return grpc::Status::OK;
  }

  // The ids of row r are its first value, plus 0 to k - 1.
  grpc::Status Search(grpc::ServerContext* context, const v1::SearchRequest* request,
                      v1::SearchResponse* response) override {
    Note(context);
    if (grpc::Status status = before(); !status.ok()) return status;
    const int64_t rows = NoteRows(request->frames());
    if (rows > limit_rows) return TooManyRows(rows);
    Keep(request->params(), &search_params_);
    const int k = request->params().has_k() ? request->params().k() : 8;
    const auto* values = reinterpret_cast<const float*>(request->frames().raw().data());
    for (int64_t row = 0; row < rows; ++row) {
      for (int i = 0; i < k; ++i) {
        response->add_ids(static_cast<int64_t>(values[row * request->frames().dimension()]) + i);
        response->add_distances(static_cast<float>(i));
      }
    }
    response->set_k(k);
    std::lock_guard lock(mutex_);
    response->set_generation(++searches_ <= generation_steps ? searches_ : generation_steps + 1);
    return grpc::Status::OK;
  }

  grpc::Status Expand(grpc::ServerContext* context, const v1::ExpandRequest* request,
                      v1::ExpandResponse* response) override {
    Note(context);
    if (grpc::Status status = before(); !status.ok()) return status;
    if (const int64_t rows = NoteRows(request->frames()); rows > limit_rows) return TooManyRows(rows);
    Keep(request->params(), &expand_params_);
    AddOne(request->frames(), response->mutable_frames());
    response->set_passthrough_rows(1);
    response->set_generation(1);
    return grpc::Status::OK;
  }

  grpc::Status StreamExpand(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::StreamExpandResponse, v1::StreamExpandRequest>* stream) override {
    Note(context);
    if (grpc::Status status = before(); !status.ok()) return status;
    ++streams;
    v1::StreamExpandRequest request;
    int blocks = 0;
    while (stream->Read(&request)) {
      if (request.has_open()) Keep(request.open().params(), &expand_params_);
      if (!request.has_frames()) continue;
      v1::StreamExpandResponse response;
      response.set_sequence(request.sequence());
      const grpc::Status status = block_status(request.sequence());
      response.mutable_status()->ParseFromString(status.error_details());
      if (status.ok()) AddOne(request.frames(), response.mutable_frames());
      stream->Write(response);
      if (++blocks == blocks_a_stream) return {grpc::StatusCode::UNAVAILABLE, "going away"};
    }
    return grpc::Status::OK;
  }

  grpc::Status StreamSearch(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::StreamSearchResponse, v1::StreamSearchRequest>* stream) override {
    Note(context);
    v1::StreamSearchRequest request;
    while (stream->Read(&request)) {
      if (!request.has_frames()) continue;
      v1::StreamSearchResponse response;
      response.set_sequence(request.sequence());
      response.set_k(1);
      for (int64_t row = 0; row < RowsOf(request.frames()); ++row) {
        response.add_ids(row);
        response.add_distances(0);
      }
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

 private:
  void Note(grpc::ServerContext* context) {
    const auto found = context->client_metadata().find("x-kith-experiment");
    std::lock_guard lock(mutex_);
    if (found != context->client_metadata().end()) metadata_.assign(found->second.data(), found->second.size());
  }
  int64_t NoteRows(const v1::FloatBatch& batch) {
    std::lock_guard lock(mutex_);
    request_rows_.push_back(RowsOf(batch));
    return request_rows_.back();
  }
  static bool Report(grpc::ServerReaderWriter<v1::TrainResponse, v1::TrainRequest>* stream, v1::Phase phase,
                     int64_t done) {
    v1::TrainResponse response;
    response.set_phase(phase);
    response.set_done(done);
    return stream->Write(response);
  }

  grpc::Status TooManyRows(int64_t rows) const {
    return MakeError(grpc::StatusCode::INVALID_ARGUMENT, "BAD_PARAMETER",
                     "frames: " + std::to_string(rows) + " rows are too many for one message; 1 to " +
                         std::to_string(limit_rows) + ", so split them");
  }

  template <typename Value>
  void Keep(const Value& value, Value* kept) {
    std::lock_guard lock(mutex_);
    *kept = value;
  }
  template <typename Value>
  Value Copy(const Value& value) const {
    std::lock_guard lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;  // guards all below
  std::vector<int64_t> request_rows_;
  std::vector<std::string> request_ids_;
  std::string metadata_;
  v1::ExpandParams expand_params_;
  v1::SearchParams search_params_;
  v1::Recipe recipe_;
  int64_t searches_ = 0;
};

// Serves on a free port of the loopback interface until it is destroyed.
class FakeServer {
 public:
  // `port` 0 takes a free one.
  explicit FakeServer(int port = 0, int message_bytes = 16 << 20) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(), &port_);
    builder.SetMaxReceiveMessageSize(message_bytes);
    builder.RegisterService(&retrieval);
    builder.RegisterService(&experiments);
    server_ = builder.BuildAndStart();
  }
  ~FakeServer() { server_->Shutdown(std::chrono::system_clock::now()); }

  int port() const { return port_; }
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }
  grpc::Server& server() { return *server_; }

  FakeRetrieval retrieval;
  FakeExperiments experiments;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// An address where nobody listens: a port that was free a moment ago.
inline std::string UnreachableTarget() { return FakeServer().target(); }

}  // namespace kith::test
