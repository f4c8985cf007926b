// How much clients may send: each of them, and to each experiment.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "server/auth/account.h"
#include "server/base/clock.h"
#include "server/config/config.h"

namespace kith::auth {

// Accounts by name. Keeps a bounded number, whoever comes: those that are as new are forgotten, and where that makes no
// room, the next names share one account. Thread-safe.
class AccountTable {
 public:
  AccountTable(const config::Rates& rates, std::string whose, std::string key, size_t most);

  std::shared_ptr<Account> Find(const std::string& name, TimePoint now);
  size_t size() const;

 private:
  std::shared_ptr<Account> NewAccount() const { return std::make_shared<Account>(rates_, whose_, key_); }
  void ForgetUnused(TimePoint now);

  const config::Rates rates_;
  const std::string whose_;
  const std::string key_;
  const size_t most_;
  const std::shared_ptr<Account> shared_;
  mutable std::mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<Account>> accounts_;  // guarded by mutex_
  TimePoint forgot_{};                                                   // guarded by mutex_
};

// Thread-safe.
class RateLimits {
 public:
  static constexpr size_t kMostKept = 16384;

  // Null where nothing is limited.
  static std::unique_ptr<RateLimits> Make(const config::Limits& limits, size_t most_kept = kMostKept);

  // The account of a client; null where clients are not limited. `client`: its token's id, or ClientOf its address.
  std::shared_ptr<Account> OfClient(const std::string& client, TimePoint now);
  // The same of an experiment, whether there is one of the name or not.
  std::shared_ptr<Account> OfExperiment(const std::string& name, TimePoint now);

 private:
  RateLimits() = default;

  std::unique_ptr<AccountTable> clients_;
  std::unique_ptr<AccountTable> experiments_;
};

// The machine of a peer as gRPC writes it ("ipv4:10.0.0.1:5000", "ipv6:%5B2001:db8::1%5D:5000"), without its port: of
// IPv6 the first 64 bits, because a machine has the others for itself.
std::string ClientOf(absl::string_view peer);

}  // namespace kith::auth
