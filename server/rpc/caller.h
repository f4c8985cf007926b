// Finds out who calls.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/status/statusor.h"
#include "server/auth/grant.h"
#include "server/auth/tokens.h"

namespace kith::rpc {

// The grant of the token that the call came with, in the metadata `authorization: Bearer TOKEN`. UNAUTHENTICATED.
absl::StatusOr<std::shared_ptr<const auth::Grant>> GrantOf(const grpc::ServerContextBase& call,
                                                           const auth::Tokens& tokens);

// The same for what any token is good for; OK where `tokens` is null.
absl::Status CheckToken(const grpc::ServerContextBase& call, const auth::Tokens* tokens);

}  // namespace kith::rpc
