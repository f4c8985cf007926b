#include "server/auth/account.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/status.h"

namespace kith::auth {
namespace {

constexpr double kRounding = 1e-6;

}  // namespace

void Bucket::Fill(TimePoint now) {
  if (now <= filled_) return;
  level_ = std::min(rate_, level_ + rate_ * std::chrono::duration<double>(now - filled_).count());
  filled_ = now;
}

double Bucket::Wanted(int64_t amount) const { return std::min(static_cast<double>(amount), rate_); }

bool Bucket::Has(int64_t amount, TimePoint now) {
  if (rate_ == 0) return true;
  Fill(now);
  return level_ + kRounding >= Wanted(amount);
}

bool Bucket::IsFull(TimePoint now) {
  if (rate_ == 0) return true;
  Fill(now);
  return level_ + kRounding >= rate_;
}

void Bucket::SetRate(int64_t rate) {
  const auto wanted = static_cast<double>(rate);
  level_ = rate_ == 0 ? wanted : std::min(level_, wanted);
  rate_ = wanted;
}

double Bucket::SecondsUntil(int64_t amount) const { return std::max(0.0, (Wanted(amount) - level_) / rate_); }

Account::Account(const config::Rates& rates, std::string whose, std::string key)
    : whose_(std::move(whose)),
      key_(std::move(key)),
      most_streams_(rates.streams),
      requests_(rates.requests),
      rows_(rates.rows),
      bytes_(rates.bytes) {}

void Account::SetRates(const config::Rates& rates) {
  const std::lock_guard<std::mutex> lock(mutex_);
  most_streams_ = rates.streams;
  requests_.SetRate(rates.requests);
  rows_.SetRate(rates.rows);
  bytes_.SetRate(rates.bytes);
}

absl::Status Account::Take(const Cost& cost, TimePoint now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!requests_.Has(cost.requests, now)) return Refuse(requests_, cost.requests, "requests");
  if (!rows_.Has(cost.rows, now)) return Refuse(rows_, cost.rows, "rows");
  if (!bytes_.Has(cost.bytes, now)) return Refuse(bytes_, cost.bytes, "bytes");
  requests_.Take(cost.requests);
  rows_.Take(cost.rows);
  bytes_.Take(cost.bytes);
  return absl::OkStatus();
}

void Account::Owe(const Cost& cost, TimePoint now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  // Filled first: what a full bucket would not have taken is no credit.
  (void)requests_.Has(0, now);
  (void)rows_.Has(0, now);
  (void)bytes_.Has(0, now);
  requests_.Take(cost.requests);
  rows_.Take(cost.rows);
  bytes_.Take(cost.bytes);
}

void Account::GiveBack(const Cost& cost) {
  const std::lock_guard<std::mutex> lock(mutex_);
  requests_.GiveBack(cost.requests);
  rows_.GiveBack(cost.rows);
  bytes_.GiveBack(cost.bytes);
}

absl::StatusOr<Account::Place> Account::EnterStream() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (most_streams_ > 0 && streams_ >= most_streams_) {
    return Error(Reason::kRateLimited, absl::StrCat(whose_, " has ", streams_, " streams open, and no more may be (",
                                                    key_, ".streams); close one, or try again later"));
  }
  ++streams_;
  return Place(nullptr, [account = shared_from_this()](void*) {
    const std::lock_guard<std::mutex> leaving(account->mutex_);
    --account->streams_;
  });
}

bool Account::IsUnused(TimePoint now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return streams_ == 0 && requests_.IsFull(now) && rows_.IsFull(now) && bytes_.IsFull(now);
}

absl::Status Account::Refuse(const Bucket& bucket, int64_t amount, const char* what) const {
  const double milliseconds = std::ceil(1000 * bucket.SecondsUntil(amount) - kRounding);
  const absl::Duration wait = absl::Milliseconds(std::max(1.0, milliseconds));
  return WithRetryDelay(Error(Reason::kRateLimited,
                              absl::StrCat(whose_, " sends more than ", bucket.rate(), " ", what, " a second (", key_,
                                           ".", what, "); send less, or try again in ", absl::FormatDuration(wait))),
                        wait);
}

}  // namespace kith::auth
