// What the token of a call is good for.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/token/scopes.h"

namespace kith::auth {

// What a call acts on.
enum class Subject {
  kExperiment,  // one, which the call names
  kListed,      // those that the token is for
  kServer,      // the server and all experiments
};

// Constant but for `revoked`. Thread-safe.
class Grant {
 public:
  Grant(std::string id, token::Scopes scopes, std::vector<std::string> patterns);

  const std::string& id() const { return id_; }

  // PERMISSION_DENIED where the token lacks the scope, or the subject is the server and it is not for all experiments.
  absl::Status Allow(token::Scope scope, Subject subject) const;
  // PERMISSION_DENIED, with one and the same message for each name that it is not for.
  absl::Status AllowName(std::string_view experiment) const;
  bool Covers(std::string_view experiment) const;
  bool for_all() const { return for_all_; }

  // UNAUTHENTICATED once the token is not in the file any more, or for something else.
  absl::Status Check() const;
  void Revoke() const { revoked_ = true; }

 private:
  const std::string id_;
  const token::Scopes scopes_;
  const std::vector<std::string> patterns_;
  const bool for_all_;  // a pattern is *
  mutable std::atomic<bool> revoked_{false};
};

// What a call without a token that is good hears.
absl::Status NoToken();
absl::Status BadToken();

}  // namespace kith::auth
