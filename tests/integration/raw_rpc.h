// Any call by its name, with one message and whatever metadata: for what holds for all calls alike.
#pragma once

#include <google/protobuf/descriptor.h>
#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kith/v1/experiments.pb.h"
#include "kith/v1/retrieval.pb.h"

namespace kith::testing {

using Metadata = std::multimap<std::string, std::string>;

// The methods of both services.
inline std::vector<const google::protobuf::MethodDescriptor*> AllRpcs() {
  std::vector<const google::protobuf::MethodDescriptor*> methods;
  for (const auto* file : {v1::SearchRequest::descriptor()->file(), v1::LoadRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) methods.push_back(file->service(i)->method(j));
    }
  }
  return methods;
}

// The bytes of the method's request, for an experiment and otherwise empty.
inline std::string RequestFor(const google::protobuf::MethodDescriptor& method, const std::string& experiment) {
  const auto* factory = google::protobuf::MessageFactory::generated_factory();
  const std::unique_ptr<google::protobuf::Message> request(
      const_cast<google::protobuf::MessageFactory*>(factory)->GetPrototype(method.input_type())->New());
  google::protobuf::Message* named = request.get();
  if (const auto* open = method.input_type()->FindFieldByName("open"); open != nullptr) {
    named = request->GetReflection()->MutableMessage(request.get(), open);
  }
  for (const char* name : {"experiment", "name"}) {
    const auto* field = named->GetDescriptor()->FindFieldByName(name);
    if (field != nullptr) named->GetReflection()->SetString(named, field, experiment);
  }
  return request->SerializeAsString();
}

// Calls with one message, and reads all that comes: how the call ended. On the wire all kinds of calls are streams.
inline grpc::Status CallByBytes(grpc::Channel* channel, const std::string& path, const std::string& message,
                                const Metadata& metadata = {}) {
  grpc::ClientContext context;
  for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
  using Stream = grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;
  const grpc::internal::RpcMethod method(path.c_str(), grpc::internal::RpcMethod::BIDI_STREAMING);
  const std::unique_ptr<Stream> stream(
      grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(channel, method, &context));
  const grpc::Slice slice(message);
  stream->Write(grpc::ByteBuffer(&slice, 1));
  stream->WritesDone();
  grpc::ByteBuffer answer;
  while (stream->Read(&answer)) {
  }
  return stream->Finish();
}

inline grpc::Status CallRpc(grpc::Channel* channel, const google::protobuf::MethodDescriptor& method,
                            const std::string& experiment, const Metadata& metadata = {}) {
  return CallByBytes(channel, "/" + method.service()->full_name() + "/" + method.name(), RequestFor(method, experiment),
                     metadata);
}

}  // namespace kith::testing
