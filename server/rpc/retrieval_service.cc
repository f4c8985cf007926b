#include "server/rpc/retrieval_service.h"

#include "server/rpc/add_call.h"
#include "server/rpc/block_stream.h"
#include "server/rpc/cost.h"
#include "server/rpc/source.h"
#include "server/rpc/train_call.h"
#include "server/rpc/unary_call.h"

namespace kith::rpc {

grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>* RetrievalService::Train(
    grpc::CallbackServerContext* call) {
  using Reactor = grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>;
  return Admit<Reactor>(gate_, telemetry::Rpc::kTrain, *call, nullptr,
                        [&](CallGate::Pass pass) { return new TrainCall(context_, std::move(pass)); });
}

grpc::ServerReadReactor<v1::AddRequest>* RetrievalService::Add(grpc::CallbackServerContext* call,
                                                               v1::AddResponse* response) {
  using Reactor = grpc::ServerReadReactor<v1::AddRequest>;
  return Admit<Reactor>(gate_, telemetry::Rpc::kAdd, *call, nullptr,
                        [&](CallGate::Pass pass) { return new AddCall(context_, response, std::move(pass)); });
}

grpc::ServerUnaryReactor* RetrievalService::Search(grpc::CallbackServerContext* call, const v1::SearchRequest* request,
                                                   v1::SearchResponse* response) {
  const auto start = [=](BlockCall block) -> absl::Status {
    const auto options = SearchBlockOptions(request->experiment(), request->params(), context_.limits->Get());
    if (!options.ok()) return options.status();
    return StartSearch(context_, *options, request->frames(), std::move(block), response);
  };
  return Admit<grpc::ServerUnaryReactor>(
      gate_, telemetry::Rpc::kSearch, *call, &request->experiment(), CostOf(*request), [&](CallGate::Pass pass) {
        return new UnaryCall(context_, call, request->experiment(), std::move(pass), start);
      });
}

grpc::ServerUnaryReactor* RetrievalService::Expand(grpc::CallbackServerContext* call, const v1::ExpandRequest* request,
                                                   v1::ExpandResponse* response) {
  const auto start = [=](BlockCall block) -> absl::Status {
    const auto options = ExpandBlockOptions(request->experiment(), request->params(), context_.limits->Get());
    if (!options.ok()) return options.status();
    return StartExpand(context_, *options, request->frames(), std::move(block), response);
  };
  return Admit<grpc::ServerUnaryReactor>(
      gate_, telemetry::Rpc::kExpand, *call, &request->experiment(), CostOf(*request), [&](CallGate::Pass pass) {
        return new UnaryCall(context_, call, request->experiment(), std::move(pass), start);
      });
}

template <typename Kind>
grpc::ServerBidiReactor<typename Kind::Request, typename Kind::Response>* RetrievalService::OpenStream(
    grpc::CallbackServerContext* call) {
  using Reactor = grpc::ServerBidiReactor<typename Kind::Request, typename Kind::Response>;
  return Admit<Reactor>(gate_, Kind::kRpc, *call, nullptr, [&](CallGate::Pass pass) {
    return BlockStream<Kind>::Open(context_, &streams_, SourceOf(*call), std::move(pass));
  });
}

grpc::ServerBidiReactor<v1::StreamSearchRequest, v1::StreamSearchResponse>* RetrievalService::StreamSearch(
    grpc::CallbackServerContext* call) {
  return OpenStream<SearchStreamKind>(call);
}

grpc::ServerBidiReactor<v1::StreamExpandRequest, v1::StreamExpandResponse>* RetrievalService::StreamExpand(
    grpc::CallbackServerContext* call) {
  return OpenStream<ExpandStreamKind>(call);
}

}  // namespace kith::rpc
