// A bearer token: kith_<id>_<secret>. The id is public and names it in logs and in the file of tokens; the secret is
// known to whoever holds the token only, the server keeps a salted hash of it.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kith::token {

struct Token {
  std::string id;      // 16 lower-case hex digits
  std::string secret;  // 64 of them: 256 bits of the system's random source
};

// UNAVAILABLE where the system has no random bytes.
absl::StatusOr<Token> NewToken();

std::string TokenText(const Token& token);

// Nothing where it is not of the form.
std::optional<Token> ParseToken(absl::string_view text);

// The text with *** in the place of every secret that stands in it behind a prefix and an id, damaged ones too: for
// logs.
std::string WithoutSecrets(std::string text);

// SHA-256 of a salt and a secret. A secret of 256 random bits cannot be guessed, so that a slow hash would bring
// nothing.
struct SecretHash {
  std::string salt;  // 32 lower-case hex digits
  std::string hash;  // 64 of them
};
absl::StatusOr<SecretHash> HashOf(absl::string_view secret);  // with a new salt

// Takes as long whether it is the secret or not.
bool IsSecretOf(const SecretHash& known, absl::string_view secret);

}  // namespace kith::token
