// How much clients may send: each of them, and to each experiment.
#pragma once

#include <atomic>
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
  // Of all accounts, from now on.
  void SetRates(const config::Rates& rates);

 private:
  // With mutex_ held.
  std::shared_ptr<Account> NewAccount() const { return std::make_shared<Account>(rates_, whose_, key_); }
  void ForgetUnused(TimePoint now);

  const std::string whose_;
  const std::string key_;
  const size_t most_;
  mutable std::mutex mutex_;
  config::Rates rates_;  // guarded by mutex_
  const std::shared_ptr<Account> shared_;
  absl::flat_hash_map<std::string, std::shared_ptr<Account>> accounts_;  // guarded by mutex_
  TimePoint forgot_{};                                                   // guarded by mutex_
};

// Thread-safe.
class RateLimits {
 public:
  static constexpr size_t kMostKept = 16384;

  explicit RateLimits(const config::Limits& limits, size_t most_kept = kMostKept);

  // Those of `limits` from now on. Who has an account keeps it with what it has used.
  void Set(const config::Limits& limits);

  // Whether anything is limited. Takes no lock.
  bool AreSet() const { return of_clients_ || of_experiments_; }

  // The account of a client; null where clients are not limited. `client`: its token's id, or ClientOf its address.
  std::shared_ptr<Account> OfClient(const std::string& client, TimePoint now);
  // The same of an experiment, whether there is one of the name or not.
  std::shared_ptr<Account> OfExperiment(const std::string& name, TimePoint now);

 private:
  AccountTable clients_;
  AccountTable experiments_;
  std::atomic<bool> of_clients_;
  std::atomic<bool> of_experiments_;
};

// The machine of a peer as gRPC writes it ("ipv4:10.0.0.1:5000", "ipv6:%5B2001:db8::1%5D:5000"), without its port: of
// IPv6 the first 64 bits, because a machine has the others for itself.
std::string ClientOf(absl::string_view peer);

}  // namespace kith::auth
