// kith.v1.Experiments on gRPC's callback API.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "kith/v1/experiments.grpc.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/stream_set.h"

namespace kith::rpc {

class ExperimentsService : public v1::Experiments::CallbackService {
 public:
  ExperimentsService(const Context& context, CallGate* gate)
      : context_(context), gate_(gate), tunings_(context.limits.streams, "tunings") {}

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

  // Ends the tunings that run; no more are let in.
  void Drain() { tunings_.DrainAll(); }

 private:
  // Runs `body`, which returns an absl::Status, in a lane of the pool and ends the call with its result. The lane is
  // the experiment's name for what may wait for its additions and exports.
  template <typename Body>
  grpc::ServerUnaryReactor* InPool(Body body, const std::string& lane = "");

  // Answers with the messages that `messages()` makes, see DownloadCall. As to the lane, the same.
  template <typename Response, typename Messages>
  grpc::ServerWriteReactor<Response>* Download(Messages messages, const std::string& lane = "");

  const Context context_;
  CallGate* const gate_;
  StreamSet tunings_;
};

}  // namespace kith::rpc
