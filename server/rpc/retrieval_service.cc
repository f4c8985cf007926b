#include "server/rpc/retrieval_service.h"

#include "server/rpc/add_call.h"
#include "server/rpc/block_stream.h"
#include "server/rpc/train_call.h"
#include "server/rpc/unary_call.h"

namespace kith::rpc {

grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>* RetrievalService::Train(grpc::CallbackServerContext*) {
  return new TrainCall(context_);
}

grpc::ServerReadReactor<v1::AddRequest>* RetrievalService::Add(grpc::CallbackServerContext*,
                                                               v1::AddResponse* response) {
  return new AddCall(context_, response);
}

grpc::ServerUnaryReactor* RetrievalService::Search(grpc::CallbackServerContext* call, const v1::SearchRequest* request,
                                                   v1::SearchResponse* response) {
  return new UnaryCall(call, [=](BlockCall block) -> absl::Status {
    const auto options = SearchBlockOptions(request->experiment(), request->params(), context_.limits);
    if (!options.ok()) return options.status();
    return StartSearch(context_, *options, request->frames(), std::move(block), response);
  });
}

grpc::ServerUnaryReactor* RetrievalService::Expand(grpc::CallbackServerContext* call, const v1::ExpandRequest* request,
                                                   v1::ExpandResponse* response) {
  return new UnaryCall(call, [=](BlockCall block) -> absl::Status {
    const auto options = ExpandBlockOptions(request->experiment(), request->params(), context_.limits);
    if (!options.ok()) return options.status();
    return StartExpand(context_, *options, request->frames(), std::move(block), response);
  });
}

grpc::ServerBidiReactor<v1::StreamSearchRequest, v1::StreamSearchResponse>* RetrievalService::StreamSearch(
    grpc::CallbackServerContext*) {
  return new BlockStream<SearchStreamKind>(context_, &streams_);
}

grpc::ServerBidiReactor<v1::StreamExpandRequest, v1::StreamExpandResponse>* RetrievalService::StreamExpand(
    grpc::CallbackServerContext*) {
  return new BlockStream<ExpandStreamKind>(context_, &streams_);
}

}  // namespace kith::rpc
