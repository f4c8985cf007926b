// Group commit: callers that come while a commit is under way wait and then share the next one.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/storage/catalogue.h"

namespace kith::storage {

// Thread-safe.
class AppendQueue {
 public:
  using Answers = std::vector<absl::StatusOr<AddRecord>>;

  // Gives one answer each; called by one thread at a time. An exception is an error of all of them.
  using Commit = std::function<Answers(absl::Span<const PreparedAddition* const>)>;

  explicit AppendQueue(Commit commit) : commit_(std::move(commit)) {}

  // Returns once a commit has had all of `additions`; one answer each. The first of the callers that wait does the
  // commit for all of them.
  Answers Append(absl::Span<const PreparedAddition> additions);

  // How many callers wait for a commit that has not begun.
  size_t waiting() const;

 private:
  struct Waiter {
    absl::Span<const PreparedAddition> additions;
    Answers answers;
    bool done = false;
  };

  void CommitAll(const std::deque<Waiter*>& group);

  const Commit commit_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiter*> waiters_;  // guarded by mutex_
  bool committing_ = false;      // guarded by mutex_
};

}  // namespace kith::storage
