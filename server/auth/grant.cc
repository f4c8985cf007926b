#include "server/auth/grant.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/token/name_pattern.h"
#include "server/base/ids.h"
#include "server/base/status.h"

namespace kith::auth {

Grant::Grant(std::string id, token::Scopes scopes, std::vector<std::string> patterns)
    : id_(std::move(id)),
      scopes_(scopes),
      patterns_(std::move(patterns)),
      for_all_(std::find(patterns_.begin(), patterns_.end(), "*") != patterns_.end()) {}

absl::Status Grant::Allow(token::Scope scope, Subject subject) const {
  if (!scopes_.Has(scope)) {
    return Error(Reason::kPermissionDenied,
                 absl::StrCat("the token ", id_, " has not the scope ", token::ScopeName(scope), "; use one that has"));
  }
  if (subject == Subject::kServer && !for_all_) {
    return Error(Reason::kPermissionDenied, absl::StrCat("this concerns all experiments, and the token ", id_,
                                                         " is for some; use one that was made with --experiments '*'"));
  }
  return absl::OkStatus();
}

absl::Status Grant::AllowName(std::string_view experiment) const {
  if (Covers(experiment)) return absl::OkStatus();
  return Error(Reason::kPermissionDenied,
               absl::StrCat("the token ", id_, " is not for an experiment of this name; use one that is"));
}

bool Grant::Covers(std::string_view experiment) const {
  if (for_all_) return true;
  if (experiment.size() > kMaxNameBytes) return false;  // matching takes the longer
  const absl::string_view name(experiment.data(), experiment.size());
  return std::any_of(patterns_.begin(), patterns_.end(),
                     [&](const std::string& pattern) { return token::Matches(pattern, name); });
}

absl::Status Grant::Check() const { return revoked_.load(std::memory_order_relaxed) ? BadToken() : absl::OkStatus(); }

absl::Status NoToken() {
  return Error(Reason::kUnauthenticated,
               "this server answers calls with a token only; give one: kith --token-file FILE, KITH_TOKEN_FILE, or the "
               "metadata authorization: Bearer TOKEN");
}

absl::Status BadToken() {
  return Error(Reason::kUnauthenticated, "the token is none of this server's, or is revoked; ask for another");
}

}  // namespace kith::auth
