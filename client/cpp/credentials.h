// What a client's options say of TLS and its token.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "client/cpp/client.h"
#include "grpcpp/security/credentials.h"

namespace kith::client {

// For the channel, with the files read; an error names the file, or what is wrong with the token without telling it.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const ClientOptions& options);

}  // namespace kith::client
