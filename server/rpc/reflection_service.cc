#include "server/rpc/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <string>
#include <unordered_set>

#include "grpc/health/v1/health.pb.h"
#include "kith/v1/experiments.pb.h"
#include "kith/v1/retrieval.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/caller.h"
#include "server/rpc/status.h"

namespace kith::rpc {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

namespace {

constexpr const char* kServices[] = {"kith.v1.Retrieval", "kith.v1.Experiments", "grpc.health.v1.Health",
                                     "grpc.reflection.v1alpha.ServerReflection"};

// The file and those that it needs, each once.
void AddFiles(const FileDescriptor* file, std::unordered_set<const FileDescriptor*>* added,
              grpc::reflection::v1alpha::FileDescriptorResponse* response) {
  if (!added->insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  proto.SerializeToString(response->add_file_descriptor_proto());
  for (int i = 0; i < file->dependency_count(); ++i) AddFiles(file->dependency(i), added, response);
}

// Null where there is none, or what is asked for is no file.
const FileDescriptor* FindFile(const ServerReflectionRequest& request) {
  const DescriptorPool* const pool = DescriptorPool::generated_pool();
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      return pool->FindFileByName(request.file_by_filename());
    case ServerReflectionRequest::kFileContainingSymbol:
      return pool->FindFileContainingSymbol(request.file_containing_symbol());
    default:
      return nullptr;  // there are no extensions
  }
}

void Answer(const ServerReflectionRequest& request, ServerReflectionResponse* response) {
  response->Clear();
  response->set_valid_host(request.host());
  *response->mutable_original_request() = request;
  if (request.message_request_case() == ServerReflectionRequest::kListServices) {
    auto* services = response->mutable_list_services_response();
    for (const char* name : kServices) services->add_service()->set_name(name);
  } else if (const FileDescriptor* file = FindFile(request); file != nullptr) {
    std::unordered_set<const FileDescriptor*> added;
    AddFiles(file, &added, response->mutable_file_descriptor_response());
  } else {
    response->mutable_error_response()->set_error_code(grpc::NOT_FOUND);
    response->mutable_error_response()->set_error_message("there is nothing of that name");
  }
}

// One question and its answer at a time. Deletes itself when the call is over.
class ReflectionCall : public grpc::ServerBidiReactor<ServerReflectionRequest, ServerReflectionResponse> {
 public:
  ReflectionCall() { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    Answer(request_, &response_);
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  ServerReflectionRequest request_;
  ServerReflectionResponse response_;
};

}  // namespace

grpc::ServerBidiReactor<ServerReflectionRequest, ServerReflectionResponse>* ReflectionService::ServerReflectionInfo(
    grpc::CallbackServerContext* call) {
  if (absl::Status status = CheckToken(*call, tokens_); !status.ok()) {
    return new RefusedCall<grpc::ServerBidiReactor<ServerReflectionRequest, ServerReflectionResponse>>(ToGrpc(status));
  }
  return new ReflectionCall;
}

}  // namespace kith::rpc
