// What a client, or all clients of an experiment together, have used of what they may a second.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/config/config.h"

namespace kith::auth {

// Of a call, a block or a message.
struct Cost {
  int64_t requests = 1;
  int64_t rows = 0;
  int64_t bytes = 0;
};

// A bucket that is filled at `rate` a second and holds what comes in one.
class Bucket {
 public:
  // Full. A rate of 0 is none: it gives any amount.
  explicit Bucket(int64_t rate) : rate_(static_cast<double>(rate)), level_(rate_) {}

  // Whether so many could be taken: of more than it holds, whether it is full. Nothing can be taken from one that owes.
  bool Has(int64_t amount, TimePoint now);
  // Takes them, so that it may owe some.
  void Take(int64_t amount) { level_ -= static_cast<double>(amount); }
  void GiveBack(int64_t amount) { level_ += static_cast<double>(amount); }
  bool IsFull(TimePoint now);
  // Until it has them.
  double SecondsUntil(int64_t amount) const;
  // Keeps what there is, as far as it holds that; full where it was none.
  void SetRate(int64_t rate);
  int64_t rate() const { return static_cast<int64_t>(rate_); }

 private:
  void Fill(TimePoint now);
  double Wanted(int64_t amount) const;

  double rate_;
  double level_;
  TimePoint filled_{};  // when it was, last
};

// Thread-safe.
class Account : public std::enable_shared_from_this<Account> {
 public:
  // Keeps a stream counted.
  using Place = std::shared_ptr<void>;

  // `whose` for messages ("this client"), `key` the configuration's ("limits.client").
  Account(const config::Rates& rates, std::string whose, std::string key);

  // From now on, for its open streams too; of those none is ended.
  void SetRates(const config::Rates& rates);

  // All of it or, with RATE_LIMITED and when to try again, nothing.
  absl::Status Take(const Cost& cost, TimePoint now);
  // For what is there already: what it takes beyond what is there is owed, and others wait for it.
  void Owe(const Cost& cost, TimePoint now);
  void GiveBack(const Cost& cost);

  // RATE_LIMITED where there are as many as may be.
  absl::StatusOr<Place> EnterStream();

  // Whether it is as a new one.
  bool IsUnused(TimePoint now);

 private:
  absl::Status Refuse(const Bucket& bucket, int64_t amount, const char* what) const;

  const std::string whose_;
  const std::string key_;
  std::mutex mutex_;
  // All guarded by mutex_.
  int most_streams_;
  Bucket requests_;
  Bucket rows_;
  Bucket bytes_;
  int streams_ = 0;
};

}  // namespace kith::auth
