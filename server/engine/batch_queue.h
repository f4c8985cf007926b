// Which rows are searched next, and which together.
//
// Jobs for the same index and parameters form a group; a batch is cut from one group, the groups take turns. No timer
// holds a job back: whatever waits when a worker is free goes into its batch, so that alone a block waits for nothing
// and under load batches form by themselves. A large job is taken in parts, in turn with the others of its group; no
// batch is more than a few milliseconds of work, so that a block never waits for long behind a costly search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "server/base/clock.h"
#include "server/engine/job.h"

namespace kith::engine {

// A job in the queue, and how much of it is still to do.
struct Task {
  explicit Task(Job job) : job(std::move(job)), rows_unfinished(this->job.queries.rows) {}

  Job job;
  int64_t next_row = 0;     // rows from here on wait in the queue
  int64_t rows_unfinished;  // waiting or with a worker
  absl::Status status;      // the first thing that went wrong
};

// Rows of one task: queries.Slice(first_row, rows).
struct Slice {
  std::shared_ptr<Task> task;
  int64_t first_row = 0;
  int64_t rows = 0;
};

// Not thread-safe: Engine guards it. Nothing here calls back into a job but `cancelled`.
class BatchQueue {
 public:
  BatchQueue(int64_t queue_rows, int64_t batch_rows) : queue_rows_(queue_rows), batch_rows_(batch_rows) {}

  // OVERLOADED, with a retry delay, where the job would make more than queue_rows rows wait.
  absl::Status Push(Job job);

  // Counts rows that wait elsewhere among those that wait here, until Release. OVERLOADED as Push.
  absl::Status Hold(int64_t rows);
  void Release(int64_t rows) { waiting_rows_ -= rows; }

  // The next rows to search together, at most batch_rows and Index::RowsAtOnce, and all for one index and parameters;
  // empty where nothing waits. Tasks that turn out cancelled or late at `now` are given up; those with no rows at a
  // worker go to `finished`.
  std::vector<Slice> TakeBatch(TimePoint now, std::vector<std::shared_ptr<Task>>* finished);

  // Gives up all tasks whose deadline has passed.
  void Expire(TimePoint now, std::vector<std::shared_ptr<Task>>* finished);

  // A worker is through with a slice. True where the task is finished by it.
  bool Complete(const Slice& slice, const absl::Status& status);

  // The earliest deadline of the tasks waiting, or kNoDeadline.
  TimePoint NextDeadline() const;

  bool empty() const { return turns_.empty(); }
  int64_t waiting_rows() const { return waiting_rows_; }

 private:
  struct Key {
    const retrieval::Index* index;
    retrieval::SearchParams params;

    friend bool operator==(const Key& a, const Key& b) { return a.index == b.index && a.params == b.params; }
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.index, key.params.k, key.params.nprobe, key.params.k_factor);
    }
  };
  struct Group {
    Key key;
    std::deque<std::shared_ptr<Task>> tasks;
  };
  using Turns = std::list<Group>;

  // Gives up whatever of the task still waits.
  void Abandon(Task* task, const absl::Status& status);

  // Takes a slice of at most `most` rows off the task, or nothing where it is cancelled or late.
  Slice Take(const std::shared_ptr<Task>& task, int64_t most, TimePoint now);

  const int64_t queue_rows_;
  const int64_t batch_rows_;
  int64_t waiting_rows_ = 0;
  Turns turns_;  // groups with tasks, the next first
  absl::flat_hash_map<Key, Turns::iterator> groups_;
  std::set<std::pair<TimePoint, Task*>> deadlines_;  // of the tasks that wait and have one
};

}  // namespace kith::engine
