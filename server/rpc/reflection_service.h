// grpc.reflection.v1alpha: what services there are and of which messages, for tools such as grpcurl. gRPC's own plugin
// answers everybody; this one asks for a token where the configuration says so.
#pragma once

#include <grpcpp/grpcpp.h>

#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "server/auth/tokens.h"

namespace kith::rpc {

class ReflectionService : public grpc::reflection::v1alpha::ServerReflection::CallbackService {
 public:
  // `tokens`: any of them lets in; null lets everybody in. They outlive this.
  explicit ReflectionService(const auth::Tokens* tokens) : tokens_(tokens) {}

  grpc::ServerBidiReactor<grpc::reflection::v1alpha::ServerReflectionRequest,
                          grpc::reflection::v1alpha::ServerReflectionResponse>*
  ServerReflectionInfo(grpc::CallbackServerContext* call) override;

 private:
  const auth::Tokens* const tokens_;
};

}  // namespace kith::rpc
