#include "common/token/scopes.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kith::token {
namespace {

constexpr Scope kAll[] = {Scope::kRead, Scope::kWrite, Scope::kAdmin};

}  // namespace

absl::string_view ScopeName(Scope scope) {
  switch (scope) {
    case Scope::kRead:
      return "read";
    case Scope::kWrite:
      return "write";
    case Scope::kAdmin:
      return "admin";
  }
  return "";
}

absl::StatusOr<Scopes> ParseScopes(absl::string_view text) {
  Scopes scopes;
  for (const absl::string_view name : absl::StrSplit(text, ',')) {
    bool known = false;
    for (const Scope scope : kAll) {
      if (name != ScopeName(scope)) continue;
      scopes.Add(scope);
      known = true;
    }
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", name, "' is no scope; give some of read, write and admin with commas between them"));
    }
  }
  return scopes;
}

std::string ScopesText(Scopes scopes) {
  std::string text;
  for (const Scope scope : kAll) {
    if (scopes.Has(scope)) absl::StrAppend(&text, text.empty() ? "" : ",", ScopeName(scope));
  }
  return text;
}

}  // namespace kith::token
