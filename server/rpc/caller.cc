#include "server/rpc/caller.h"

#include <iterator>

#include "absl/strings/string_view.h"

namespace kith::rpc {

absl::StatusOr<std::shared_ptr<const auth::Grant>> GrantOf(const grpc::ServerContextBase& call,
                                                           const auth::Tokens& tokens) {
  const auto [first, last] = call.client_metadata().equal_range("authorization");
  if (first == last) return auth::NoToken();
  if (std::next(first) != last) return auth::BadToken();  // which one would count?
  return tokens.Find(absl::string_view(first->second.data(), first->second.size()));
}

absl::Status CheckToken(const grpc::ServerContextBase& call, const auth::Tokens* tokens) {
  return tokens == nullptr ? absl::OkStatus() : GrantOf(call, *tokens).status();
}

}  // namespace kith::rpc
