// kith.v1.Retrieval on gRPC's callback API.
#pragma once

#include <grpcpp/grpcpp.h>

#include "kith/v1/retrieval.grpc.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/stream_set.h"

namespace kith::rpc {

class RetrievalService : public v1::Retrieval::CallbackService {
 public:
  RetrievalService(const Context& context, CallGate* gate) : context_(context), gate_(gate), streams_(context.limits) {}

  // Ends the open streams once their blocks are answered. Unary calls and uploads end by themselves.
  void Drain() { streams_.DrainAll(); }

  grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>* Train(grpc::CallbackServerContext* call) override;
  grpc::ServerReadReactor<v1::AddRequest>* Add(grpc::CallbackServerContext* call, v1::AddResponse* response) override;
  grpc::ServerUnaryReactor* Search(grpc::CallbackServerContext* call, const v1::SearchRequest* request,
                                   v1::SearchResponse* response) override;
  grpc::ServerUnaryReactor* Expand(grpc::CallbackServerContext* call, const v1::ExpandRequest* request,
                                   v1::ExpandResponse* response) override;
  grpc::ServerBidiReactor<v1::StreamSearchRequest, v1::StreamSearchResponse>* StreamSearch(
      grpc::CallbackServerContext* call) override;
  grpc::ServerBidiReactor<v1::StreamExpandRequest, v1::StreamExpandResponse>* StreamExpand(
      grpc::CallbackServerContext* call) override;

 private:
  template <typename Kind>
  grpc::ServerBidiReactor<typename Kind::Request, typename Kind::Response>* OpenStream(
      grpc::CallbackServerContext* call);

  const Context context_;
  CallGate* const gate_;
  StreamSet streams_;
};

}  // namespace kith::rpc
