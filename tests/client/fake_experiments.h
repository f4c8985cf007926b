// Experiments as a test wants them: every experiment is the same, and only the calls of the tests change them.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "grpcpp/grpcpp.h"
#include "kith/v1/experiments.grpc.pb.h"
#include "tests/client/fake_error.h"

namespace kith::test {

// Experiments a, b, c, a page of two at a time.
class FakeExperiments : public v1::Experiments::Service {
 public:
  // What the last List came with.
  std::string authorization() const {
    const std::lock_guard lock(mutex_);
    return authorization_;
  }

  grpc::Status List(grpc::ServerContext* context, const v1::ListExperimentsRequest* request,
                    v1::ListExperimentsResponse* response) override {
    {
      const auto found = context->client_metadata().find("authorization");
      const bool came = found != context->client_metadata().end();
      const std::lock_guard lock(mutex_);
      authorization_ = came ? std::string(found->second.data(), found->second.size()) : "";
    }
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

  // Called first in the calls below; an error ends them. Set before the first call.
  std::function<grpc::Status()> before = [] { return grpc::Status::OK; };

  grpc::Status Load(grpc::ServerContext*, const v1::LoadRequest* request, v1::LoadResponse* response) override {
    return Change(
        request->name(), [this] { resident = true; }, response->mutable_experiment());
  }
  grpc::Status Unload(grpc::ServerContext*, const v1::UnloadRequest* request, v1::UnloadResponse* response) override {
    return Change(
        request->name(), [this] { resident = false; }, response->mutable_experiment());
  }
  grpc::Status Pin(grpc::ServerContext*, const v1::PinRequest* request, v1::PinResponse* response) override {
    return Change(
        request->name(), [this] { resident = pinned = true; }, response->mutable_experiment());
  }
  grpc::Status Unpin(grpc::ServerContext*, const v1::UnpinRequest* request, v1::UnpinResponse* response) override {
    return Change(
        request->name(), [this] { pinned = false; }, response->mutable_experiment());
  }
  bool resident = true;  // all of them
  bool pinned = false;
  bool used = true;
  std::string degraded;  // not empty: they are, and that is the message

  // 3, which serves, and 2, which cannot be read.
  grpc::Status Generations(grpc::ServerContext*, const v1::GenerationsRequest* request,
                           v1::GenerationsResponse* response) override {
    if (grpc::Status status = before(); !status.ok()) return status;
    if (request->name() != "a") return NotFound(request->name());
    for (const int number : {3, 2}) {
      v1::Generation* generation = response->add_generations();
      generation->set_number(number);
      generation->set_current(number == 3);
      if (number == 2) generation->set_message("index.faiss is damaged");
      generation->set_rows(7253);
      generation->set_dimension(768);
      generation->mutable_recipe()->set_name("auto");
      generation->mutable_recipe()->set_metric(v1::METRIC_COSINE);
      generation->set_factory("IVF185,Flat");
      generation->set_nlist(185);
      generation->set_nprobe(12);
      generation->set_recall_at_8(0.967);
      generation->set_disk_bytes(2 << 20);
      generation->mutable_created()->set_seconds(1700000000);
      generation->mutable_updated()->set_seconds(1700000001);
    }
    return grpc::Status::OK;
  }

  grpc::Status Rollback(grpc::ServerContext*, const v1::RollbackRequest* request,
                        v1::RollbackResponse* response) override {
    rollback_request = *request;
    const grpc::Status status = Change(
        request->name(), [] {}, response->mutable_experiment());
    response->mutable_experiment()->set_generation(request->has_to() ? request->to() : 2);
    return status;
  }
  v1::RollbackRequest rollback_request;

  // `backup` in pieces of three bytes, and what it holds.
  grpc::Status Backup(grpc::ServerContext*, const v1::BackupRequest*,
                      grpc::ServerWriter<v1::BackupResponse>* writer) override {
    for (size_t at = 0; at < backup.size(); at += 3) {
      v1::BackupResponse piece;
      piece.set_data(backup.substr(at, 3));
      writer->Write(piece);
    }
    if (grpc::Status status = before(); !status.ok()) return status;
    v1::BackupResponse summary;
    summary.set_experiments(3);
    summary.set_generations(5);
    summary.set_bytes(backup_bytes.value_or(static_cast<int64_t>(backup.size())));
    for (const v1::LeftOut& each : left_out) *summary.add_left_out() = each;
    writer->Write(summary);
    return grpc::Status::OK;
  }
  std::string backup = "the bytes of a tar";
  std::vector<v1::LeftOut> left_out;
  std::optional<int64_t> backup_bytes;  // what it says of its size; unset: the truth

  // Keeps what came, gives "a".
  grpc::Status Restore(grpc::ServerContext* context, grpc::ServerReader<v1::RestoreRequest>* reader,
                       v1::RestoreResponse* response) override {
    restored.clear();
    v1::RestoreRequest request;
    reader->Read(&request);
    replace = request.replace();
    if (grpc::Status status = before(); !status.ok()) return status;
    while (reader->Read(&request)) restored += request.data();
    while (restore_hangs && !context->IsCancelled()) std::this_thread::yield();
    Fill("a", response->add_experiments());
    return grpc::Status::OK;
  }
  std::string restored;
  bool replace = false;
  bool restore_hangs = false;  // once all has come, until the call is cancelled

  // A server with one histogram.
  grpc::Status GetServerInfo(grpc::ServerContext*, const v1::GetServerInfoRequest*,
                             v1::GetServerInfoResponse* response) override {
    response->set_version("0.1.0");
    response->set_faiss("1.7.3");
    response->set_instruction_set("AVX-512");
    response->set_blas("OpenBLAS");
    response->set_search_threads(2);
    response->mutable_started()->set_seconds(1700000000);
    response->set_memory_budget_bytes(1 << 30);
    response->set_memory_reserved_bytes(1 << 20);
    response->set_experiments(3);
    response->set_resident_experiments(1);
    v1::Histogram* histogram = response->add_histograms();
    histogram->set_name("kith_batch_rows");
    for (const double bound : {16, 32}) histogram->add_bounds(bound);
    for (const uint64_t count : {4, 2, 1}) histogram->add_counts(count);
    histogram->set_sum(160);
    histogram->set_count(7);
    return grpc::Status::OK;
  }

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
  template <typename Do>
  grpc::Status Change(const std::string& name, Do change, v1::Experiment* experiment) {
    if (grpc::Status status = before(); !status.ok()) return status;
    if (name != "a") return NotFound(name);
    change();
    Fill(name, experiment);
    return grpc::Status::OK;
  }
  void Fill(const std::string& name, v1::Experiment* experiment) const {
    experiment->set_name(name);
    experiment->set_state(degraded.empty() ? v1::Experiment::STATE_READY : v1::Experiment::STATE_DEGRADED);
    experiment->set_message(degraded);
    experiment->set_rows(7253);
    experiment->set_dimension(768);
    experiment->set_metric(v1::METRIC_COSINE);
    experiment->set_recipe("auto");
    experiment->set_factory("IVF185,Flat");
    experiment->set_nlist(185);
    experiment->set_nprobe(12);
    experiment->set_generation(3);
    experiment->set_recall_at_8(0.967);
    experiment->set_bytes(resident ? 1 << 20 : 0);
    experiment->set_resident(resident);
    experiment->set_disk_bytes(2 << 20);
    experiment->set_pinned(pinned);
    experiment->mutable_compression()->set_centres(10000);
    experiment->mutable_compression()->set_iterations(50);
    experiment->mutable_created()->set_seconds(1700000000);
    experiment->mutable_updated()->set_seconds(1700000001);
    if (used) experiment->mutable_last_used()->set_seconds(1700000002);
  }

  mutable std::mutex mutex_;
  std::string authorization_;  // guarded by mutex_
};

}  // namespace kith::test
