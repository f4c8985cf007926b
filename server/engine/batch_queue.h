// Which rows are searched next, and which together.
//
// A batch is cut from jobs for one index and the same parameters, a group. Whose turn it is goes by source, which is
// whoever sent the job: the source that has had the least work done for it among those that wait comes next, and what
// waits in the same group, of whichever source, shares its batch and is charged for it. So who sends much, in one group
// or in many, holds up himself.
//
// No timer holds a job back: whatever waits when a worker is free goes into its batch, so that alone a block waits for
// nothing and under load batches form by themselves. A large job is taken in parts, in turn with the others of its
// source; no batch is more than a few milliseconds of work, so that a block never waits for long behind a costly
// search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "server/base/clock.h"
#include "server/engine/job.h"
#include "server/engine/pace.h"
#include "server/engine/task.h"

namespace kith::engine {

struct Group;
struct Source;

// What waits of one source in one group.
struct Lane {
  Lane(Source* source, Group* group, std::pmr::memory_resource* memory) : source(source), group(group), tasks(memory) {}

  Source* const source;
  Group* const group;
  std::pmr::list<std::shared_ptr<Task>> tasks;  // the next first
  std::pmr::list<Lane*>::iterator in_source;
  std::pmr::list<Lane>::iterator in_group;
};

// Not thread-safe: Engine guards it. Nothing here calls back into a job but `cancelled`.
class BatchQueue {
 public:
  BatchQueue(int64_t queue_rows, int64_t batch_rows, int workers = 1);
  ~BatchQueue();
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  // OVERLOADED, with a retry delay, where more than queue_rows rows would wait, or more of this source than there would
  // be room left for others (so that none can fill the queue; a source with nothing waiting is let in). LATE where the
  // job's deadline would be over before its turn, by the pace measured so far: nothing is refused on a guess, nor where
  // no other waits or is being searched.
  absl::Status Push(Job job, TimePoint now);

  // Counts rows that wait elsewhere among those that wait here, until Release. OVERLOADED as Push.
  absl::Status Hold(int64_t rows);
  void Release(int64_t rows) { waiting_rows_ -= rows; }

  // The next rows to search together, at most batch_rows and Index::RowsAtOnce, and all for one index and parameters;
  // empty where nothing waits. Tasks that turn out cancelled, or would be late by the end of the batch, are given up;
  // those with no rows at a worker go to `finished`.
  std::vector<Slice> TakeBatch(TimePoint now, std::vector<std::shared_ptr<Task>>* finished);

  // Gives up all tasks whose deadline has passed.
  void Expire(TimePoint now, std::vector<std::shared_ptr<Task>>* finished);

  // A worker is through with a slice. True where the task is finished by it.
  bool Complete(const Slice& slice, const absl::Status& status);

  // A worker took so long for a batch.
  void Measured(const std::vector<Slice>& batch, Clock::duration taken);

  // The earliest deadline of the tasks waiting, or kNoDeadline.
  TimePoint NextDeadline() const;

  bool idle() const { return empty() && running_rows_ == 0; }
  bool empty() const { return order_.empty(); }
  // From now on so many may wait; those that do stay.
  void SetQueueRows(int64_t rows) { queue_rows_ = rows; }

  int64_t waiting_rows() const { return waiting_rows_; }

 private:
  friend struct Group;
  friend struct Source;

  struct Key {
    const retrieval::Index* index;
    retrieval::SearchParams params;

    friend bool operator==(const Key& a, const Key& b) { return a.index == b.index && a.params == b.params; }
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.index, key.params.k, key.params.nprobe, key.params.k_factor);
    }
  };

  using Turn = std::pair<double, uint64_t>;  // what the source was served; among equals who came first

  absl::Status CheckRoom(int64_t rows, const Source* source) const;
  absl::Status CheckTime(const Job& job, double work, const Source* source, TimePoint now) const;

  Lane* LaneOf(uint64_t source, const Key& key);
  void RemoveIfEmpty(Lane* lane);

  // Of the next batch among so much that waits. Index::RowsAtOnce rows, which no batch exceeds, are 1.
  double BatchWork(double waiting_work, double work_of_row) const;
  bool HasOneTaskOnly() const;
  // Takes about `share` rows of the lane's tasks, and `most` at most, into the batch that will be done at `end`.
  int64_t TakeFrom(Lane* lane, int64_t share, int64_t most, TimePoint end, std::vector<Slice>* batch,
                   std::vector<std::shared_ptr<Task>>* finished);
  // Gives the task up where it is cancelled, or late at `end`.
  void DropIfOver(Task* task, TimePoint end);
  // `rows` of the task wait no longer.
  void Advance(Task* task, int64_t rows);
  void Abandon(Task* task, const absl::Status& status);
  // Work was done for a source: it comes after those that have had less.
  void Charge(Source* source, double work);
  double WorkOf(const std::vector<Slice>& batch) const;

  int64_t queue_rows_;
  const int64_t batch_rows_;
  const int workers_;
  int64_t waiting_rows_ = 0;
  double waiting_work_ = 0;
  int64_t running_rows_ = 0;  // that workers have taken
  double running_work_ = 0;
  // What a source would have been served that was there all along; who comes anew starts from there.
  double served_ = 0;
  uint64_t turns_given_ = 0;
  Pace pace_;

  std::pmr::unsynchronized_pool_resource memory_;         // of the nodes below, which come and go with every block
  std::pmr::list<Source> sources_;                        // that wait
  std::pmr::list<Group> groups_;                          // in which something waits
  std::pmr::map<Turn, Source*> order_;                    // of the sources, the next first
  std::pmr::set<std::pair<TimePoint, Task*>> deadlines_;  // of the tasks that wait and have one
  absl::flat_hash_map<uint64_t, Source*> source_of_;
  absl::flat_hash_map<Key, Group*> group_of_;
  absl::flat_hash_map<std::pair<Source*, Group*>, Lane*> lane_of_;
};

}  // namespace kith::engine
