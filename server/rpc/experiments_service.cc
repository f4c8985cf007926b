#include "server/rpc/experiments_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "server/base/guard.h"
#include "server/base/status.h"
#include "server/retrieval/platform.h"
#include "server/rpc/backup_call.h"
#include "server/rpc/convert.h"
#include "server/rpc/downloads.h"
#include "server/rpc/import_call.h"
#include "server/rpc/restore_call.h"
#include "server/rpc/status.h"
#include "server/rpc/tune_call.h"
#include "server/telemetry/log.h"

namespace kith::rpc {

using telemetry::Rpc;

namespace {

constexpr int kDefaultPageSize = 100;
constexpr int kMaxPageSize = 1000;

// The next `most` experiments behind `after` that the grant covers, by name; null covers all. For a grant of some, all
// are looked at whatever is asked for, so that the time tells nothing of the others' names.
std::vector<experiments::Description> Listed(const experiments::Registry& registry, const auth::Grant* grant,
                                             const std::string& after, size_t most) {
  if (grant == nullptr || grant->for_all()) return registry.List(after, most);
  std::vector<experiments::Description> listed;
  for (experiments::Description& description : registry.List("", SIZE_MAX)) {
    const std::string& name = description.record.name;
    if (grant->Covers(name) && name > after && listed.size() < most) listed.push_back(std::move(description));
  }
  return listed;
}

absl::Status ListPage(const experiments::Registry& registry, const auth::Grant* grant,
                      const v1::ListExperimentsRequest& request, v1::ListExperimentsResponse* response) {
  if (request.page_size() < 0) return Error(Reason::kBadParameter, "page_size: it is negative; 0 to 1000");
  const int page_size = request.page_size() == 0 ? kDefaultPageSize : std::min<int>(request.page_size(), kMaxPageSize);
  std::string after;
  if (!absl::WebSafeBase64Unescape(request.page_token(), &after)) {
    return Error(Reason::kBadParameter, "page_token: not one that this server gave; start again without it");
  }
  // One more tells whether this is the last.
  const auto page = Listed(registry, grant, std::move(after), static_cast<size_t>(page_size) + 1);
  for (size_t i = 0; i < page.size() && i < static_cast<size_t>(page_size); ++i) {
    *response->add_experiments() = ToProto(page[i]);
  }
  if (page.size() > static_cast<size_t>(page_size)) {
    response->set_next_page_token(absl::WebSafeBase64Escape(page[page_size - 1].record.name));
  }
  return absl::OkStatus();
}

// Deletes itself when the call is over.
class PoolCall : public GatedCall<grpc::ServerUnaryReactor> {
 public:
  template <typename Body>
  PoolCall(ThreadPool* pool, CallGate::Pass pass, Body body) : GatedCall(std::move(pass)) {
    pool->Run([this, body] { Finish(ToGrpc(Guarded(body))); });
  }

 private:
  void OnDone() override { delete this; }
};

// A call that the registry ends: `start(done)` is given what takes its status. Deletes itself when the call is over.
class RegistryCall : public GatedCall<grpc::ServerUnaryReactor> {
 public:
  template <typename Start>
  RegistryCall(CallGate::Pass pass, const Start& start) : GatedCall(std::move(pass)) {
    start([this](const absl::Status& status) { Finish(ToGrpc(status)); });
  }

 private:
  void OnDone() override { delete this; }
};

void AddHistogram(const telemetry::HistogramReading& reading, v1::GetServerInfoResponse* response) {
  v1::Histogram* histogram = response->add_histograms();
  histogram->set_name(reading.name);
  histogram->mutable_bounds()->Assign(reading.bounds.begin(), reading.bounds.end());
  histogram->mutable_counts()->Assign(reading.counts.begin(), reading.counts.end());
  histogram->set_sum(reading.sum);
  histogram->set_count(reading.count);
}

void FillServerInfo(const Context& context, v1::GetServerInfoResponse* response) {
  const retrieval::Platform platform = retrieval::DescribePlatform();
  const experiments::Counts counts = context.registry->Count();
  response->set_version(context.facts.version);
  response->set_faiss(platform.faiss);
  response->set_instruction_set(platform.instruction_set);
  response->set_blas(platform.blas);
  response->set_search_threads(context.facts.search_threads);
  *response->mutable_started() = ToProto(context.facts.started);
  response->set_memory_budget_bytes(context.trainer->budget()->limit());
  response->set_memory_reserved_bytes(context.trainer->budget()->used());
  response->set_experiments(counts.all());
  response->set_resident_experiments(counts.resident);
  response->set_log_level(telemetry::LogLevel());
  for (const auto& reading : context.metrics->BlockHistograms()) AddHistogram(reading, response);
}

}  // namespace

template <typename Body>
grpc::ServerUnaryReactor* ExperimentsService::InPool(Rpc rpc, const grpc::CallbackServerContext& call,
                                                     const std::string* experiment, Body body) {
  return Admit<grpc::ServerUnaryReactor>(gate_, rpc, call, experiment, [&](CallGate::Pass pass) {
    return new PoolCall(context_.pool, std::move(pass), body);
  });
}

template <typename Response, typename Change>
grpc::ServerUnaryReactor* ExperimentsService::Changed(Rpc rpc, const grpc::CallbackServerContext& call,
                                                      const std::string& experiment, Response* response,
                                                      Change change) {
  return Admit<grpc::ServerUnaryReactor>(gate_, rpc, call, &experiment, [&](CallGate::Pass pass) {
    return new RegistryCall(std::move(pass), [&](const auto& end) {
      change([end, response](const absl::StatusOr<experiments::Description>& result) {
        if (result.ok()) *response->mutable_experiment() = ToProto(*result);
        end(result.status());
      });
    });
  });
}

template <typename Response, typename Messages>
grpc::ServerWriteReactor<Response>* ExperimentsService::Download(Rpc rpc, const grpc::CallbackServerContext& call,
                                                                 const std::string& experiment,
                                                                 const Messages& messages) {
  return Admit<grpc::ServerWriteReactor<Response>>(gate_, rpc, call, &experiment, [&](CallGate::Pass pass) {
    return new DownloadCall<Response>(context_, std::move(pass), experiment, messages);
  });
}

grpc::ServerUnaryReactor* ExperimentsService::List(grpc::CallbackServerContext* call,
                                                   const v1::ListExperimentsRequest* request,
                                                   v1::ListExperimentsResponse* response) {
  return Admit<grpc::ServerUnaryReactor>(gate_, Rpc::kList, *call, nullptr, [&](CallGate::Pass pass) {
    const auto grant = pass.grant();
    return new PoolCall(context_.pool, std::move(pass),
                        [=] { return ListPage(*context_.registry, grant.get(), *request, response); });
  });
}

grpc::ServerUnaryReactor* ExperimentsService::Get(grpc::CallbackServerContext* call,
                                                  const v1::GetExperimentRequest* request,
                                                  v1::GetExperimentResponse* response) {
  return InPool(Rpc::kGet, *call, &request->name(), [=] {
    const auto description = context_.registry->Describe(request->name());
    if (description.ok()) *response->mutable_experiment() = ToProto(*description);
    return description.status();
  });
}

grpc::ServerUnaryReactor* ExperimentsService::Delete(grpc::CallbackServerContext* call,
                                                     const v1::DeleteExperimentRequest* request,
                                                     v1::DeleteExperimentResponse*) {
  return Admit<grpc::ServerUnaryReactor>(gate_, Rpc::kDelete, *call, &request->name(), [&](CallGate::Pass pass) {
    return new RegistryCall(std::move(pass), [&](const auto& end) { context_.registry->Delete(request->name(), end); });
  });
}

grpc::ServerBidiReactor<v1::ImportRequest, v1::ImportResponse>* ExperimentsService::Import(
    grpc::CallbackServerContext* call) {
  using Reactor = grpc::ServerBidiReactor<v1::ImportRequest, v1::ImportResponse>;
  return Admit<Reactor>(gate_, Rpc::kImport, *call, nullptr,
                        [&](CallGate::Pass pass) { return new ImportCall(context_, std::move(pass)); });
}

grpc::ServerWriteReactor<v1::ExportResponse>* ExperimentsService::Export(grpc::CallbackServerContext* call,
                                                                         const v1::ExportRequest* request) {
  return Download<v1::ExportResponse>(Rpc::kExport, *call, request->name(), ExportMessages(context_, request->name()));
}

grpc::ServerWriteReactor<v1::GetFramesResponse>* ExperimentsService::GetFrames(grpc::CallbackServerContext* call,
                                                                               const v1::GetFramesRequest* request) {
  return Download<v1::GetFramesResponse>(Rpc::kGetFrames, *call, request->name(), FrameMessages(*request));
}

grpc::ServerWriteReactor<v1::TuneResponse>* ExperimentsService::Tune(grpc::CallbackServerContext* call,
                                                                     const v1::TuneRequest* request) {
  using Reactor = grpc::ServerWriteReactor<v1::TuneResponse>;
  return Admit<Reactor>(gate_, Rpc::kTune, *call, &request->experiment(), [&](CallGate::Pass pass) {
    return new TuneCall(context_, std::move(pass), &tunings_, request);
  });
}

grpc::ServerUnaryReactor* ExperimentsService::Load(grpc::CallbackServerContext* call, const v1::LoadRequest* request,
                                                   v1::LoadResponse* response) {
  return Changed(Rpc::kLoad, *call, request->name(), response,
                 [=](const auto& done) { context_.registry->Load(request->name(), done); });
}

grpc::ServerUnaryReactor* ExperimentsService::Unload(grpc::CallbackServerContext* call,
                                                     const v1::UnloadRequest* request, v1::UnloadResponse* response) {
  return Changed(Rpc::kUnload, *call, request->name(), response,
                 [=](const auto& done) { done(context_.registry->Unload(request->name())); });
}

grpc::ServerUnaryReactor* ExperimentsService::Pin(grpc::CallbackServerContext* call, const v1::PinRequest* request,
                                                  v1::PinResponse* response) {
  return Changed(Rpc::kPin, *call, request->name(), response,
                 [=](const auto& done) { context_.registry->SetPinned(request->name(), true, done); });
}

grpc::ServerUnaryReactor* ExperimentsService::Unpin(grpc::CallbackServerContext* call, const v1::UnpinRequest* request,
                                                    v1::UnpinResponse* response) {
  return Changed(Rpc::kUnpin, *call, request->name(), response,
                 [=](const auto& done) { context_.registry->SetPinned(request->name(), false, done); });
}

grpc::ServerUnaryReactor* ExperimentsService::Generations(grpc::CallbackServerContext* call,
                                                          const v1::GenerationsRequest* request,
                                                          v1::GenerationsResponse* response) {
  return InPool(Rpc::kGenerations, *call, &request->name(), [=] {
    const auto known = context_.registry->Describe(request->name());
    if (!known.ok()) return known.status();
    const auto generations = context_.store->Generations(request->name());
    if (!generations.ok()) return generations.status();
    for (const storage::GenerationRecord& generation : *generations) {
      *response->add_generations() = ToProto(generation);
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ExperimentsService::Rollback(grpc::CallbackServerContext* call,
                                                       const v1::RollbackRequest* request,
                                                       v1::RollbackResponse* response) {
  std::optional<int64_t> to;
  if (request->has_to()) to = request->to();
  return Changed(Rpc::kRollback, *call, request->name(), response,
                 [=](const auto& done) { context_.registry->Rollback(request->name(), to, done); });
}

grpc::ServerWriteReactor<v1::BackupResponse>* ExperimentsService::Backup(grpc::CallbackServerContext* call,
                                                                         const v1::BackupRequest*) {
  using Reactor = grpc::ServerWriteReactor<v1::BackupResponse>;
  return Admit<Reactor>(gate_, Rpc::kBackup, *call, nullptr,
                        [&](CallGate::Pass pass) { return new BackupCall(context_, &backups_, std::move(pass)); });
}

grpc::ServerReadReactor<v1::RestoreRequest>* ExperimentsService::Restore(grpc::CallbackServerContext* call,
                                                                         v1::RestoreResponse* response) {
  using Reactor = grpc::ServerReadReactor<v1::RestoreRequest>;
  return Admit<Reactor>(gate_, Rpc::kRestore, *call, nullptr, [&](CallGate::Pass pass) {
    return new RestoreCall(context_, &backups_, response, std::move(pass));
  });
}

grpc::ServerUnaryReactor* ExperimentsService::GetServerInfo(grpc::CallbackServerContext* call,
                                                            const v1::GetServerInfoRequest*,
                                                            v1::GetServerInfoResponse* response) {
  return InPool(Rpc::kGetServerInfo, *call, nullptr, [=] {
    FillServerInfo(context_, response);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ExperimentsService::SetLogLevel(grpc::CallbackServerContext* call,
                                                          const v1::SetLogLevelRequest* request,
                                                          v1::SetLogLevelResponse* response) {
  return InPool(Rpc::kSetLogLevel, *call, nullptr, [=] {
    response->set_previous(telemetry::LogLevel());
    return telemetry::SetLogLevel(request->level());
  });
}

}  // namespace kith::rpc
