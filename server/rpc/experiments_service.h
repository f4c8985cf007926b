// kith.v1.Experiments on gRPC's callback API.
#pragma once

#include <grpcpp/grpcpp.h>

#include "kith/v1/experiments.grpc.pb.h"
#include "server/rpc/context.h"

namespace kith::rpc {

class ExperimentsService : public v1::Experiments::CallbackService {
 public:
  explicit ExperimentsService(const Context& context) : context_(context) {}

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

 private:
  // Runs `body`, which returns an absl::Status, in the pool and ends the call with its result.
  template <typename Body>
  grpc::ServerUnaryReactor* InPool(grpc::CallbackServerContext* call, Body body);

  const Context context_;
};

}  // namespace kith::rpc
