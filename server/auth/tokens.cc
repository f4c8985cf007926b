#include "server/auth/tokens.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/token/token.h"
#include "server/base/status.h"

namespace kith::auth {
namespace {

constexpr absl::string_view kScheme = "Bearer ";

bool IsSame(const token::Entry& a, const token::Entry& b) {
  return a.hash.salt == b.hash.salt && a.hash.hash == b.hash.hash && a.scopes == b.scopes && a.patterns == b.patterns;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokens>> Tokens::Open(const std::string& path) {
  const auto secret = token::NewToken();
  if (!secret.ok()) return Error(Reason::kInternal, std::string(secret.status().message()));
  auto nobody = token::HashOf(secret->secret);
  if (!nobody.ok()) return Error(Reason::kInternal, std::string(nobody.status().message()));
  std::unique_ptr<Tokens> tokens(new Tokens(path, *std::move(nobody)));
  if (absl::Status status = tokens->Reload(); !status.ok()) return status;
  return tokens;
}

absl::StatusOr<std::shared_ptr<const Grant>> Tokens::Find(absl::string_view authorization) const {
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return NoToken();
  const auto token = token::ParseToken(absl::StripAsciiWhitespace(authorization.substr(kScheme.size())));
  if (!token) return BadToken();
  const auto known = map();
  const auto found = known->find(token->id);
  const bool is_it = token::IsSecretOf(found == known->end() ? nobody_ : found->second.entry.hash, token->secret);
  if (!is_it || found == known->end()) return BadToken();
  return found->second.grant;
}

absl::Status Tokens::Reload() {
  auto entries = token::ReadEntries(path_);
  if (!entries.ok()) return Error(Reason::kBadParameter, std::string(entries.status().message()));
  const auto before = map();
  auto after = std::make_shared<Map>();
  for (token::Entry& entry : *entries) {
    const auto had = before->find(entry.id);
    const bool stays = had != before->end() && IsSame(had->second.entry, entry);
    auto grant = stays ? had->second.grant : std::make_shared<const Grant>(entry.id, entry.scopes, entry.patterns);
    std::string id = entry.id;
    after->emplace(std::move(id), Known{std::move(entry), std::move(grant)});
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    map_ = after;
  }
  for (const auto& [id, known] : *before) {
    const auto now = after->find(id);
    if (now == after->end() || now->second.grant != known.grant) known.grant->Revoke();
  }
  return absl::OkStatus();
}

size_t Tokens::size() const { return map()->size(); }

std::shared_ptr<const Tokens::Map> Tokens::map() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return map_ == nullptr ? std::make_shared<const Map>() : map_;
}

}  // namespace kith::auth
