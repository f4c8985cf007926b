// A server in this process that answers as a test wants it to: no index, only arithmetic.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/grpcpp.h"
#include "kith/v1/experiments.grpc.pb.h"
#include "kith/v1/retrieval.grpc.pb.h"

namespace kith::test {

// An error as kithd sends it.
inline grpc::Status MakeError(grpc::StatusCode code, const std::string& reason, const std::string& message,
                              int retry_ms = 0) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("kith");
  status.add_details()->PackFrom(info);
  if (retry_ms > 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_nanos(retry_ms * 1'000'000);
    status.add_details()->PackFrom(retry);
  }
  return {code, message, status.SerializeAsString()};
}

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

  // What was seen so far.
  std::vector<int64_t> request_rows() const { return Copy(request_rows_); }
  std::vector<std::string> request_ids() const { return Copy(request_ids_); }
  std::string metadata() const { return Copy(metadata_); }
  v1::Recipe recipe() const { return Copy(recipe_); }  // of the last Train
  std::atomic<int> streams{0};
  std::atomic<bool> train_cancelled{false};
  int64_t generation_steps = 0;  // the generation changes after the first request, so many times

  grpc::Status Train(grpc::ServerContext* context,
                     grpc::ServerReaderWriter<v1::TrainResponse, v1::TrainRequest>* stream) override {
    Note(context);
    v1::TrainRequest request;
    stream->Read(&request);
    const std::string name = request.experiment();
    {
      std::lock_guard lock(mutex_);
      recipe_ = request.recipe();
    }
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
    NoteRows(request->frames());
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

  template <typename Value>
  Value Copy(const Value& value) const {
    std::lock_guard lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;  // guards all below
  std::vector<int64_t> request_rows_;
  std::vector<std::string> request_ids_;
  std::string metadata_;
  v1::Recipe recipe_;
  int64_t searches_ = 0;
};

// Experiments a, b, c, a page of two at a time.
class FakeExperiments : public v1::Experiments::Service {
 public:
  grpc::Status List(grpc::ServerContext*, const v1::ListExperimentsRequest* request,
                    v1::ListExperimentsResponse* response) override {
    if (request->page_token().empty()) {
      Fill("a", response->add_experiments());
      Fill("b", response->add_experiments());
      response->set_next_page_token("b");
    } else {
      Fill("c", response->add_experiments());
    }
    return grpc::Status::OK;
  }
  grpc::Status Get(grpc::ServerContext*, const v1::GetExperimentRequest* request,
                   v1::GetExperimentResponse* response) override {
    if (request->name() != "a") return NotFound(request->name());
    Fill("a", response->mutable_experiment());
    return grpc::Status::OK;
  }
  grpc::Status Delete(grpc::ServerContext*, const v1::DeleteExperimentRequest* request,
                      v1::DeleteExperimentResponse*) override {
    return request->name() == "a" ? grpc::Status::OK : NotFound(request->name());
  }

  // Candidates for "a". tune_request is what came.
  grpc::Status Tune(grpc::ServerContext* context, const v1::TuneRequest* request,
                    grpc::ServerWriter<v1::TuneResponse>* writer) override {
    if (request->experiment() != "a") return NotFound(request->experiment());
    tune_request = *request;
    v1::TuneResponse response;
    response.set_step("IVF185,Flat, nprobe 8");
    response.set_done(1);
    response.set_total(3);
    writer->Write(response);
    if (while_tuning) while_tuning();
    while (tune_hangs && !context->IsCancelled()) std::this_thread::yield();
    response.Clear();
    AddCandidate(&response, "IVF185,Flat", 0.967, 0.9955, 40, false)->mutable_recipe()->set_nprobe(8);
    AddCandidate(&response, "Flat", 0.99, 0.97, 55, true)->mutable_recipe()->mutable_compression()->set_centres(1813);
    v1::TuneCandidate* refined = AddCandidate(&response, "IVF185,PQ384x4fs,RFlat", 0.982, 0.9976, 60, true);
    refined->set_chosen(true);
    refined->mutable_recipe()->set_nprobe(16);
    refined->mutable_recipe()->set_k_factor(4);
    AddCandidate(&response, "Flat", 1, 1, 400, true);
    writer->Write(response);
    return grpc::Status::OK;
  }
  v1::TuneRequest tune_request;
  std::function<void()> while_tuning;  // called after the first answer
  bool tune_hangs = false;             // behind that, until the client goes away

 private:
  static v1::TuneCandidate* AddCandidate(v1::TuneResponse* response, const std::string& factory, double recall,
                                         double blend, double microseconds, bool pareto) {
    v1::TuneCandidate* candidate = response->add_candidates();
    candidate->mutable_recipe()->set_factory(factory);
    candidate->mutable_recipe()->set_metric(v1::METRIC_COSINE);
    candidate->set_factory(factory);
    candidate->set_rows(7253);
    candidate->set_recall_at_8(recall);
    candidate->set_blend_cosine(blend);
    candidate->set_microseconds_per_row(microseconds);
    candidate->set_bytes(43 << 20);
    candidate->set_build_seconds(2.5);
    candidate->set_pareto(pareto);
    return candidate;
  }
  static grpc::Status NotFound(const std::string& name) {
    return MakeError(grpc::StatusCode::NOT_FOUND, "EXPERIMENT_NOT_FOUND", "there is no experiment " + name);
  }
  static void Fill(const std::string& name, v1::Experiment* experiment) {
    experiment->set_name(name);
    experiment->set_state(v1::Experiment::STATE_READY);
    experiment->set_rows(7253);
    experiment->set_dimension(768);
    experiment->set_metric(v1::METRIC_COSINE);
    experiment->set_recipe("auto");
    experiment->set_factory("IVF185,Flat");
    experiment->set_nlist(185);
    experiment->set_nprobe(12);
    experiment->set_generation(3);
    experiment->set_recall_at_8(0.967);
    experiment->set_bytes(1 << 20);
    experiment->set_resident(true);
    experiment->mutable_compression()->set_centres(10000);
    experiment->mutable_compression()->set_iterations(50);
    experiment->mutable_created()->set_seconds(1700000000);
    experiment->mutable_updated()->set_seconds(1700000001);
  }
};

// Serves on a free port of the loopback interface until it is destroyed.
class FakeServer {
 public:
  // `port` 0 takes a free one.
  explicit FakeServer(int port = 0) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(), &port_);
    builder.SetMaxReceiveMessageSize(16 << 20);
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
