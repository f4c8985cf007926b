// kith.v1.Experiments on gRPC's callback API.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "kith/v1/experiments.grpc.pb.h"
#include "server/base/thread_pool.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/stream_set.h"

namespace kith::rpc {

class ExperimentsService : public v1::Experiments::CallbackService {
 public:
  ExperimentsService(const Context& context, CallGate* gate)
      : context_(context), gate_(gate), tunings_(context.limits, "tunings") {}

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* call, const v1::ListExperimentsRequest* request,
                                 v1::ListExperimentsResponse* response) override;
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* call, const v1::GetExperimentRequest* request,
                                v1::GetExperimentResponse* response) override;
  grpc::ServerUnaryReactor* Delete(grpc::CallbackServerContext* call, const v1::DeleteExperimentRequest* request,
                                   v1::DeleteExperimentResponse* response) override;
  grpc::ServerBidiReactor<v1::ImportRequest, v1::ImportResponse>* Import(grpc::CallbackServerContext* call) override;
  grpc::ServerWriteReactor<v1::ExportResponse>* Export(grpc::CallbackServerContext* call,
                                                       const v1::ExportRequest* request) override;
  grpc::ServerWriteReactor<v1::GetFramesResponse>* GetFrames(grpc::CallbackServerContext* call,
                                                             const v1::GetFramesRequest* request) override;
  grpc::ServerWriteReactor<v1::TuneResponse>* Tune(grpc::CallbackServerContext* call,
                                                   const v1::TuneRequest* request) override;
  grpc::ServerUnaryReactor* Load(grpc::CallbackServerContext* call, const v1::LoadRequest* request,
                                 v1::LoadResponse* response) override;
  grpc::ServerUnaryReactor* Unload(grpc::CallbackServerContext* call, const v1::UnloadRequest* request,
                                   v1::UnloadResponse* response) override;
  grpc::ServerUnaryReactor* Pin(grpc::CallbackServerContext* call, const v1::PinRequest* request,
                                v1::PinResponse* response) override;
  grpc::ServerUnaryReactor* Unpin(grpc::CallbackServerContext* call, const v1::UnpinRequest* request,
                                  v1::UnpinResponse* response) override;
  grpc::ServerUnaryReactor* Generations(grpc::CallbackServerContext* call, const v1::GenerationsRequest* request,
                                        v1::GenerationsResponse* response) override;
  grpc::ServerUnaryReactor* Rollback(grpc::CallbackServerContext* call, const v1::RollbackRequest* request,
                                     v1::RollbackResponse* response) override;
  grpc::ServerWriteReactor<v1::BackupResponse>* Backup(grpc::CallbackServerContext* call,
                                                       const v1::BackupRequest* request) override;
  grpc::ServerReadReactor<v1::RestoreRequest>* Restore(grpc::CallbackServerContext* call,
                                                       v1::RestoreResponse* response) override;
  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* call, const v1::GetServerInfoRequest* request,
                                          v1::GetServerInfoResponse* response) override;
  grpc::ServerUnaryReactor* SetLogLevel(grpc::CallbackServerContext* call, const v1::SetLogLevelRequest* request,
                                        v1::SetLogLevelResponse* response) override;

  // Ends the tunings that run; no more are let in.
  void Drain() { tunings_.DrainAll(); }

 private:
  // In all three: `rpc` is the call, for counting it and for who may make it; `experiment` the one that it is for.

  // Runs `body`, which returns an absl::Status, in the pool and ends the call with its result. `experiment` may be
  // null.
  template <typename Body>
  grpc::ServerUnaryReactor* InPool(telemetry::Rpc rpc, const grpc::CallbackServerContext& call,
                                   const std::string* experiment, Body body);

  // Calls `change(done)`, and ends the call with the experiment that `done` is told of, or with the error.
  template <typename Response, typename Change>
  grpc::ServerUnaryReactor* Changed(telemetry::Rpc rpc, const grpc::CallbackServerContext& call,
                                    const std::string& experiment, Response* response, Change change);

  // Answers with the messages that `messages` makes of the experiment's generation, see DownloadCall.
  template <typename Response, typename Messages>
  grpc::ServerWriteReactor<Response>* Download(telemetry::Rpc rpc, const grpc::CallbackServerContext& call,
                                               const std::string& experiment, const Messages& messages);

  const Context context_;
  CallGate* const gate_;
  StreamSet tunings_;
  ThreadPool backups_{1};  // one at a time, so that they do not take the pool's threads for long
};

}  // namespace kith::rpc
