#include "common/token/token.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace kith::token {
namespace {

constexpr char kPrefix[] = "kith_";
constexpr size_t kIdBytes = 8;
constexpr size_t kSecretBytes = 32;
constexpr size_t kSaltBytes = 16;

bool IsHex(absl::string_view text, size_t bytes) {
  return text.size() == 2 * bytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

absl::StatusOr<std::string> RandomHex(size_t bytes) {
  std::string random(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(bytes)) != 1) {
    return absl::UnavailableError("the system's random source gives nothing");
  }
  return absl::BytesToHexString(random);
}

std::string Hash(absl::string_view salt, absl::string_view secret) {
  const std::string text = absl::StrCat(salt, ":", secret);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace

absl::StatusOr<Token> NewToken() {
  auto id = RandomHex(kIdBytes);
  if (!id.ok()) return id.status();
  auto secret = RandomHex(kSecretBytes);
  if (!secret.ok()) return secret.status();
  return Token{*std::move(id), *std::move(secret)};
}

std::string TokenText(const Token& token) { return absl::StrCat(kPrefix, token.id, "_", token.secret); }

std::optional<Token> ParseToken(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, kPrefix)) return std::nullopt;
  const size_t end = text.find('_');
  if (end == absl::string_view::npos) return std::nullopt;
  const absl::string_view id = text.substr(0, end);
  const absl::string_view secret = text.substr(end + 1);
  if (!IsHex(id, kIdBytes) || !IsHex(secret, kSecretBytes)) return std::nullopt;
  return Token{std::string(id), std::string(secret)};
}

std::string WithoutSecrets(std::string text) {
  constexpr size_t kLeast = 2 * kIdBytes + 1;  // hex digits of a secret that is cut off; an id is no secret
  const auto past = [&text](size_t at, auto is) {
    while (at < text.size() && is(static_cast<unsigned char>(text[at]))) ++at;
    return at;
  };
  for (size_t found = text.find(kPrefix); found != std::string::npos; found = text.find(kPrefix, found + 1)) {
    const size_t secret = past(found + sizeof(kPrefix) - 1, absl::ascii_isalnum) + 1;
    if (secret >= text.size() || text[secret - 1] != '_') continue;
    if (past(secret, absl::ascii_isxdigit) - secret < kLeast) continue;
    text.replace(secret, past(secret, absl::ascii_isalnum) - secret, "***");
  }
  return text;
}

absl::StatusOr<SecretHash> HashOf(absl::string_view secret) {
  auto salt = RandomHex(kSaltBytes);
  if (!salt.ok()) return salt.status();
  std::string hash = Hash(*salt, secret);
  return SecretHash{*std::move(salt), std::move(hash)};
}

bool IsSecretOf(const SecretHash& known, absl::string_view secret) {
  const std::string hash = Hash(known.salt, secret);
  return hash.size() == known.hash.size() && CRYPTO_memcmp(hash.data(), known.hash.data(), hash.size()) == 0;
}

}  // namespace kith::token
