#include "server/experiments/memory_budget.h"

#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::experiments {
namespace {

constexpr absl::Duration kRetryDelay = absl::Seconds(5);

std::string Mebibytes(int64_t bytes) { return absl::StrCat((bytes + (1 << 20) - 1) >> 20, " MiB"); }

}  // namespace

MemoryBudget::Reservation& MemoryBudget::Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  Release();
  budget_ = std::exchange(other.budget_, nullptr);
  bytes_ = other.bytes_.exchange(0);
  return *this;
}

absl::Status MemoryBudget::Reservation::Resize(int64_t bytes, const std::string& what) {
  if (bytes > bytes_) {
    if (absl::Status status = budget_->Take(bytes - bytes_, what); !status.ok()) return status;
    bytes_ = bytes;
  }
  Correct(bytes);
  return absl::OkStatus();
}

void MemoryBudget::Reservation::Correct(int64_t bytes) {
  if (budget_ == nullptr) return;
  const std::lock_guard<std::mutex> lock(budget_->mutex_);
  budget_->used_ += bytes - bytes_;
  bytes_ = bytes;
}

absl::StatusOr<MemoryBudget::Reservation> MemoryBudget::Reserve(int64_t bytes, const std::string& what) {
  if (absl::Status status = Take(bytes, what); !status.ok()) return status;
  return Reservation(this, bytes);
}

absl::Status MemoryBudget::Take(int64_t bytes, const std::string& what) {
  for (bool may_find_room = true;;) {
    int64_t missing = 0;
    bool hopeless = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      missing = used_ + bytes - limit_;
      hopeless = bytes > limit_;
      if (missing <= 0) {
        used_ += bytes;
        return absl::OkStatus();
      }
    }
    if (hopeless || !make_room_ || !may_find_room) return Full(bytes, what);
    may_find_room = make_room_(missing);  // once more even so: others may have given something back meanwhile
  }
}

absl::Status MemoryBudget::Full(int64_t bytes, const std::string& what) const {
  const int64_t limit = this->limit();
  if (bytes > limit) {
    return WithRetryDelay(
        Error(Reason::kMemoryBudget, absl::StrCat(what, " takes ", Mebibytes(bytes), ", more than the whole budget of ",
                                                  Mebibytes(limit), "; raise memory.budget")),
        kRetryDelay);
  }
  return WithRetryDelay(Error(Reason::kMemoryBudget,
                              absl::StrCat(what, " takes ", Mebibytes(bytes), ", and of the budget of ",
                                           Mebibytes(limit), " ", Mebibytes(used()),
                                           " are in use or pinned; try again when there is room, unpin an experiment, ",
                                           "or raise memory.budget")),
                        kRetryDelay);
}

void MemoryBudget::SetLimit(int64_t limit) {
  int64_t excess = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    limit_ = limit;
    excess = used_ - limit;
  }
  if (excess > 0 && make_room_) make_room_(excess);
}

int64_t MemoryBudget::limit() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return limit_;
}

int64_t MemoryBudget::used() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return used_;
}

}  // namespace kith::experiments
