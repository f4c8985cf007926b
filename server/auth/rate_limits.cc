#include "server/auth/rate_limits.h"

#include <arpa/inet.h>

#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "server/base/ids.h"

namespace kith::auth {
namespace {

// Looking through all accounts is not for every call.
constexpr std::chrono::seconds kForgetInterval(1);

bool IsLimited(const config::Rates& rates) {
  return rates.requests > 0 || rates.rows > 0 || rates.bytes > 0 || rates.streams > 0;
}

}  // namespace

AccountTable::AccountTable(const config::Rates& rates, std::string whose, std::string key, size_t most)
    : whose_(std::move(whose)), key_(std::move(key)), most_(most), rates_(rates), shared_(NewAccount()) {}

std::shared_ptr<Account> AccountTable::Find(const std::string& name, TimePoint now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (const auto found = accounts_.find(name); found != accounts_.end()) return found->second;
  if (accounts_.size() >= most_) ForgetUnused(now);
  if (accounts_.size() >= most_) return shared_;
  return accounts_.emplace(name, NewAccount()).first->second;
}

size_t AccountTable::size() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return accounts_.size();
}

void AccountTable::SetRates(const config::Rates& rates) {
  const std::lock_guard<std::mutex> lock(mutex_);
  rates_ = rates;
  shared_->SetRates(rates);
  for (const auto& [name, account] : accounts_) account->SetRates(rates);
}

void AccountTable::ForgetUnused(TimePoint now) {
  if (forgot_ != TimePoint() && now - forgot_ < kForgetInterval) return;
  forgot_ = now;
  // One that a call holds would be missing there, and found anew here.
  absl::erase_if(accounts_,
                 [now](auto& entry) { return entry.second.use_count() == 1 && entry.second->IsUnused(now); });
}

RateLimits::RateLimits(const config::Limits& limits, size_t most_kept)
    : clients_(limits.client, "this client", "limits.client", most_kept),
      experiments_(limits.experiment, "this experiment", "limits.experiment", most_kept),
      of_clients_(IsLimited(limits.client)),
      of_experiments_(IsLimited(limits.experiment)) {}

void RateLimits::Set(const config::Limits& limits) {
  clients_.SetRates(limits.client);
  experiments_.SetRates(limits.experiment);
  of_clients_ = IsLimited(limits.client);
  of_experiments_ = IsLimited(limits.experiment);
}

std::shared_ptr<Account> RateLimits::OfClient(const std::string& client, TimePoint now) {
  return of_clients_ ? clients_.Find(client, now) : nullptr;
}

std::shared_ptr<Account> RateLimits::OfExperiment(const std::string& name, TimePoint now) {
  if (!of_experiments_) return nullptr;
  return experiments_.Find(name.size() <= kMaxNameBytes ? name : "", now);  // all that are no names share one account
}

std::string ClientOf(absl::string_view peer) {
  const absl::string_view host = peer.substr(0, peer.rfind(':'));
  if (!absl::StartsWith(peer, "ipv6:")) return std::string(host);
  std::string address = absl::StrReplaceAll(host.substr(5), {{"%5B", ""}, {"%5D", ""}, {"[", ""}, {"]", ""}});
  address = address.substr(0, address.find('%'));  // a zone
  in6_addr bytes{};
  if (inet_pton(AF_INET6, address.c_str(), &bytes) != 1) return std::string(host);
  if (IN6_IS_ADDR_V4MAPPED(&bytes)) return address;
  std::memset(&bytes.s6_addr[8], 0, 8);
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, &bytes, text, sizeof(text));
  return text;
}

}  // namespace kith::auth
