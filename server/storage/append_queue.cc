#include "server/storage/append_queue.h"

#include <iterator>
#include <utility>

#include "server/base/guard.h"

namespace kith::storage {

AppendQueue::Answers AppendQueue::Append(absl::Span<const PreparedAddition> additions) {
  Waiter self{additions, {}, false};
  std::unique_lock<std::mutex> lock(mutex_);
  waiters_.push_back(&self);
  changed_.wait(lock, [&] { return self.done || !committing_; });
  if (self.done) return std::move(self.answers);

  const std::deque<Waiter*> group = std::exchange(waiters_, {});  // this caller's included
  committing_ = true;
  lock.unlock();
  CommitAll(group);
  lock.lock();
  for (Waiter* waiter : group) waiter->done = true;
  committing_ = false;
  lock.unlock();
  changed_.notify_all();
  return std::move(self.answers);
}

void AppendQueue::CommitAll(const std::deque<Waiter*>& group) {
  std::vector<const PreparedAddition*> additions;
  for (const Waiter* waiter : group) {
    for (const PreparedAddition& addition : waiter->additions) additions.push_back(&addition);
  }
  Answers answers;
  const absl::Status status = Guarded([&] {
    answers = commit_(additions);
    return absl::OkStatus();
  });
  if (!status.ok()) answers.assign(additions.size(), status);  // nobody may wait for it for ever
  auto next = std::make_move_iterator(answers.begin());
  for (Waiter* waiter : group) {
    const auto end = next + static_cast<std::ptrdiff_t>(waiter->additions.size());
    waiter->answers.assign(next, end);
    next = end;
  }
}

size_t AppendQueue::waiting() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return waiters_.size();
}

}  // namespace kith::storage
