#include "server/rpc/experiments_service.h"

#include <algorithm>
#include <string>

#include "absl/strings/escaping.h"
#include "server/base/status.h"
#include "server/rpc/convert.h"
#include "server/rpc/downloads.h"
#include "server/rpc/guard.h"
#include "server/rpc/import_call.h"
#include "server/rpc/status.h"

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
    response->set_next_page_token(absl::WebSafeBase64Escape(page[page_size - 1].name));
  }
  return absl::OkStatus();
}

}  // namespace

template <typename Body>
grpc::ServerUnaryReactor* ExperimentsService::InPool(grpc::CallbackServerContext* call, Body body) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  context_.pool->Run([reactor, body] { reactor->Finish(ToGrpc(Guarded(body))); });
  return reactor;
}

grpc::ServerUnaryReactor* ExperimentsService::List(grpc::CallbackServerContext* call,
                                                   const v1::ListExperimentsRequest* request,
                                                   v1::ListExperimentsResponse* response) {
  return InPool(call, [=] { return ListPage(*context_.registry, *request, response); });
}

grpc::ServerUnaryReactor* ExperimentsService::Get(grpc::CallbackServerContext* call,
                                                  const v1::GetExperimentRequest* request,
                                                  v1::GetExperimentResponse* response) {
  return InPool(call, [=] {
    const auto description = context_.registry->Describe(request->name());
    if (description.ok()) *response->mutable_experiment() = ToProto(*description);
    return description.status();
  });
}

grpc::ServerUnaryReactor* ExperimentsService::Delete(grpc::CallbackServerContext* call,
                                                     const v1::DeleteExperimentRequest* request,
                                                     v1::DeleteExperimentResponse*) {
  return InPool(call, [=] { return context_.registry->Delete(request->name()); });
}

grpc::ServerBidiReactor<v1::ImportRequest, v1::ImportResponse>* ExperimentsService::Import(
    grpc::CallbackServerContext*) {
  return new ImportCall(context_);
}

grpc::ServerWriteReactor<v1::ExportResponse>* ExperimentsService::Export(grpc::CallbackServerContext*,
                                                                         const v1::ExportRequest* request) {
  return new DownloadCall<v1::ExportResponse>(context_, ExportMessages(context_, request->name()));
}

grpc::ServerWriteReactor<v1::GetFramesResponse>* ExperimentsService::GetFrames(grpc::CallbackServerContext*,
                                                                               const v1::GetFramesRequest* request) {
  return new DownloadCall<v1::GetFramesResponse>(context_, FrameMessages(context_, *request));
}

}  // namespace kith::rpc
