// What a token is good for.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kith::token {

// None implies another.
enum class Scope {
  kRead = 1,   // searching, blending, looking at experiments and getting them
  kWrite = 2,  // making, changing and deleting them
  kAdmin = 4,  // what concerns the server as a whole
};

// A set of them.
class Scopes {
 public:
  Scopes() = default;
  Scopes(Scope scope) : bits_(static_cast<unsigned>(scope)) {}  // NOLINT(google-explicit-constructor): a set of one

  void Add(Scope scope) { bits_ |= static_cast<unsigned>(scope); }
  bool Has(Scope scope) const { return (bits_ & static_cast<unsigned>(scope)) != 0; }
  bool empty() const { return bits_ == 0; }
  bool operator==(Scopes other) const { return bits_ == other.bits_; }

 private:
  unsigned bits_ = 0;
};

// "read", "write" or "admin".
absl::string_view ScopeName(Scope scope);

// Of "read,write", in any order; INVALID_ARGUMENT where one is none of the three, or there is none.
absl::StatusOr<Scopes> ParseScopes(absl::string_view text);
std::string ScopesText(Scopes scopes);

}  // namespace kith::token
