#include "server/rpc/experiments_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "server/base/guard.h"
#include "server/base/status.h"
#include "server/rpc/backup_call.h"
#include "server/rpc/convert.h"
#include "server/rpc/downloads.h"
#include "server/rpc/import_call.h"
#include "server/rpc/restore_call.h"
#include "server/rpc/status.h"
#include "server/rpc/tune_call.h"

namespace kith::rpc {
namespace {

constexpr int kDefaultPageSize = 100;
constexpr int kMaxPageSize = 1000;

absl::Status ListPage(const experiments::Registry& registry, const v1::ListExperimentsRequest& request,
                      v1::ListExperimentsResponse* response) {
  if (request.page_size() < 0) return Error(Reason::kBadParameter, "page_size: it is negative; 0 to 1000");
  const int page_size = request.page_size() == 0 ? kDefaultPageSize : std::min<int>(request.page_size(), kMaxPageSize);
  std::string after;
  if (!absl::WebSafeBase64Unescape(request.page_token(), &after)) {
    return Error(Reason::kBadParameter, "page_token: not one that this server gave; start again without it");
  }
  const auto page =
      registry.List(after, static_cast<size_t>(page_size) + 1);  // one more tells whether this is the last
  for (size_t i = 0; i < page.size() && i < static_cast<size_t>(page_size); ++i) {
    *response->add_experiments() = ToProto(page[i]);
  }
  if (page.size() > static_cast<size_t>(page_size)) {
    response->set_next_page_token(absl::WebSafeBase64Escape(page[page_size - 1].record.name));
  }
  return absl::OkStatus();
}

// Deletes itself when the call is over.
class PoolCall : public grpc::ServerUnaryReactor {
 public:
  template <typename Body>
  PoolCall(ThreadPool* pool, CallGate::Pass pass, Body body) : pass_(std::move(pass)) {
    pool->Run([this, body] { Finish(ToGrpc(Guarded(body))); });
  }

 private:
  void OnDone() override { delete this; }

  const CallGate::Pass pass_;
};

// A call that the registry ends: `start(done)` is given what takes its status. Deletes itself when the call is over.
class RegistryCall : public grpc::ServerUnaryReactor {
 public:
  template <typename Start>
  RegistryCall(CallGate::Pass pass, const Start& start) : pass_(std::move(pass)) {
    start([this](const absl::Status& status) { Finish(ToGrpc(status)); });
  }

 private:
  void OnDone() override { delete this; }

  const CallGate::Pass pass_;
};

}  // namespace

template <typename Body>
grpc::ServerUnaryReactor* ExperimentsService::InPool(Body body) {
  return Admit<grpc::ServerUnaryReactor>(
      gate_, [&](CallGate::Pass pass) { return new PoolCall(context_.pool, std::move(pass), body); });
}

template <typename Response, typename Change>
grpc::ServerUnaryReactor* ExperimentsService::Changed(Response* response, Change change) {
  return Admit<grpc::ServerUnaryReactor>(gate_, [&](CallGate::Pass pass) {
    return new RegistryCall(std::move(pass), [&](const auto& end) {
      change([end, response](const absl::StatusOr<experiments::Description>& result) {
        if (result.ok()) *response->mutable_experiment() = ToProto(*result);
        end(result.status());
      });
    });
  });
}

template <typename Response, typename Messages>
grpc::ServerWriteReactor<Response>* ExperimentsService::Download(const std::string& experiment,
                                                                 const Messages& messages) {
  return Admit<grpc::ServerWriteReactor<Response>>(gate_, [&](CallGate::Pass pass) {
    return new DownloadCall<Response>(context_, std::move(pass), experiment, messages);
  });
}

grpc::ServerUnaryReactor* ExperimentsService::List(grpc::CallbackServerContext*,
                                                   const v1::ListExperimentsRequest* request,
                                                   v1::ListExperimentsResponse* response) {
  return InPool([=] { return ListPage(*context_.registry, *request, response); });
}

grpc::ServerUnaryReactor* ExperimentsService::Get(grpc::CallbackServerContext*, const v1::GetExperimentRequest* request,
                                                  v1::GetExperimentResponse* response) {
  return InPool([=] {
    const auto description = context_.registry->Describe(request->name());
    if (description.ok()) *response->mutable_experiment() = ToProto(*description);
    return description.status();
  });
}

grpc::ServerUnaryReactor* ExperimentsService::Delete(grpc::CallbackServerContext*,
                                                     const v1::DeleteExperimentRequest* request,
                                                     v1::DeleteExperimentResponse*) {
  return Admit<grpc::ServerUnaryReactor>(gate_, [&](CallGate::Pass pass) {
    return new RegistryCall(std::move(pass), [&](const auto& end) { context_.registry->Delete(request->name(), end); });
  });
}

grpc::ServerBidiReactor<v1::ImportRequest, v1::ImportResponse>* ExperimentsService::Import(
    grpc::CallbackServerContext*) {
  using Reactor = grpc::ServerBidiReactor<v1::ImportRequest, v1::ImportResponse>;
  return Admit<Reactor>(gate_, [&](CallGate::Pass pass) { return new ImportCall(context_, std::move(pass)); });
}

grpc::ServerWriteReactor<v1::ExportResponse>* ExperimentsService::Export(grpc::CallbackServerContext*,
                                                                         const v1::ExportRequest* request) {
  return Download<v1::ExportResponse>(request->name(), ExportMessages(context_, request->name()));
}

grpc::ServerWriteReactor<v1::GetFramesResponse>* ExperimentsService::GetFrames(grpc::CallbackServerContext*,
                                                                               const v1::GetFramesRequest* request) {
  return Download<v1::GetFramesResponse>(request->name(), FrameMessages(*request));
}

grpc::ServerWriteReactor<v1::TuneResponse>* ExperimentsService::Tune(grpc::CallbackServerContext*,
                                                                     const v1::TuneRequest* request) {
  using Reactor = grpc::ServerWriteReactor<v1::TuneResponse>;
  return Admit<Reactor>(
      gate_, [&](CallGate::Pass pass) { return new TuneCall(context_, std::move(pass), &tunings_, request); });
}

grpc::ServerUnaryReactor* ExperimentsService::Load(grpc::CallbackServerContext*, const v1::LoadRequest* request,
                                                   v1::LoadResponse* response) {
  return Changed(response, [=](const auto& done) { context_.registry->Load(request->name(), done); });
}

grpc::ServerUnaryReactor* ExperimentsService::Unload(grpc::CallbackServerContext*, const v1::UnloadRequest* request,
                                                     v1::UnloadResponse* response) {
  return Changed(response, [=](const auto& done) { done(context_.registry->Unload(request->name())); });
}

grpc::ServerUnaryReactor* ExperimentsService::Pin(grpc::CallbackServerContext*, const v1::PinRequest* request,
                                                  v1::PinResponse* response) {
  return Changed(response, [=](const auto& done) { context_.registry->SetPinned(request->name(), true, done); });
}

grpc::ServerUnaryReactor* ExperimentsService::Unpin(grpc::CallbackServerContext*, const v1::UnpinRequest* request,
                                                    v1::UnpinResponse* response) {
  return Changed(response, [=](const auto& done) { context_.registry->SetPinned(request->name(), false, done); });
}

grpc::ServerUnaryReactor* ExperimentsService::Generations(grpc::CallbackServerContext*,
                                                          const v1::GenerationsRequest* request,
                                                          v1::GenerationsResponse* response) {
  return InPool([=] {
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

grpc::ServerUnaryReactor* ExperimentsService::Rollback(grpc::CallbackServerContext*, const v1::RollbackRequest* request,
                                                       v1::RollbackResponse* response) {
  std::optional<int64_t> to;
  if (request->has_to()) to = request->to();
  return Changed(response, [=](const auto& done) { context_.registry->Rollback(request->name(), to, done); });
}

grpc::ServerWriteReactor<v1::BackupResponse>* ExperimentsService::Backup(grpc::CallbackServerContext*,
                                                                         const v1::BackupRequest*) {
  using Reactor = grpc::ServerWriteReactor<v1::BackupResponse>;
  return Admit<Reactor>(gate_,
                        [&](CallGate::Pass pass) { return new BackupCall(context_, &backups_, std::move(pass)); });
}

grpc::ServerReadReactor<v1::RestoreRequest>* ExperimentsService::Restore(grpc::CallbackServerContext*,
                                                                         v1::RestoreResponse* response) {
  using Reactor = grpc::ServerReadReactor<v1::RestoreRequest>;
  return Admit<Reactor>(
      gate_, [&](CallGate::Pass pass) { return new RestoreCall(context_, &backups_, response, std::move(pass)); });
}

}  // namespace kith::rpc
