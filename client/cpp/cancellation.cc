#include "client/cpp/cancellation.h"

#include <utility>

namespace kith {

void Cancellation::Cancel() {
  std::lock_guard lock(mutex_);
  if (cancelled_) return;
  cancelled_ = true;
  for (const auto& [id, action] : actions_) action();
  changed_.notify_all();
}

bool Cancellation::cancelled() const {
  std::lock_guard lock(mutex_);
  return cancelled_;
}

bool Cancellation::WaitFor(absl::Duration duration) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, absl::ToChronoNanoseconds(duration), [this] { return cancelled_; });
}

int64_t Cancellation::Register(std::function<void()> action) {
  std::lock_guard lock(mutex_);
  if (cancelled_) action();
  const int64_t id = next_id_++;
  actions_.emplace(id, std::move(action));
  return id;
}

void Cancellation::Unregister(int64_t id) {
  std::lock_guard lock(mutex_);
  actions_.erase(id);
}

}  // namespace kith
