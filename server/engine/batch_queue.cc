#include "server/engine/batch_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::engine {
namespace {

// Up to here a task is not cut because others wait beside it: a real-time block stays whole.
constexpr int64_t kRowsOfABlock = 64;

constexpr absl::Duration kRetryDelay = absl::Milliseconds(100);

absl::Status Late() {
  return Error(Reason::kLate,
               "the time for it was over before it was its turn; the server is busy, or the budget too small");
}

}  // namespace

absl::Status BatchQueue::Hold(int64_t rows) {
  if (waiting_rows_ + rows > queue_rows_) {
    return WithRetryDelay(
        Error(Reason::kOverloaded, absl::StrCat("the server is busy: ", waiting_rows_, " rows wait and at most ",
                                                queue_rows_, " may; try again a little later")),
        kRetryDelay);
  }
  waiting_rows_ += rows;
  return absl::OkStatus();
}

absl::Status BatchQueue::Push(Job job) {
  if (absl::Status status = Hold(job.queries.rows); !status.ok()) return status;
  const Key key{job.index.get(), job.params};
  auto task = std::make_shared<Task>(std::move(job));
  auto [group, is_new] = groups_.try_emplace(key);
  if (is_new) group->second = turns_.insert(turns_.end(), Group{key, {}});
  if (task->job.deadline != kNoDeadline) deadlines_.emplace(task->job.deadline, task.get());
  group->second->tasks.push_back(std::move(task));
  return absl::OkStatus();
}

Slice BatchQueue::Take(const std::shared_ptr<Task>& task, int64_t most, TimePoint now) {
  if (now >= task->job.deadline) {
    Abandon(task.get(), Late());
  } else if (task->job.cancelled && task->job.cancelled()) {
    Abandon(task.get(), Error(Reason::kCancelled, "the caller went away"));
  }
  const int64_t rows = std::min(most, task->job.queries.rows - task->next_row);
  const Slice slice{task, task->next_row, rows};
  task->next_row += rows;
  waiting_rows_ -= rows;
  if (task->next_row == task->job.queries.rows) deadlines_.erase({task->job.deadline, task.get()});
  return slice;
}

std::vector<Slice> BatchQueue::TakeBatch(TimePoint now, std::vector<std::shared_ptr<Task>>* finished) {
  std::vector<Slice> batch;
  while (batch.empty() && !turns_.empty()) {
    Group& group = turns_.front();
    const auto tasks = static_cast<int64_t>(group.tasks.size());
    const int64_t most = std::min(batch_rows_, group.key.index->RowsAtOnce(group.key.params));
    const int64_t share = std::max(kRowsOfABlock, most / tasks);
    int64_t rows = 0;
    for (int64_t i = 0; i < tasks && rows < most; ++i) {
      std::shared_ptr<Task> task = std::move(group.tasks.front());
      group.tasks.pop_front();
      Slice slice = Take(task, std::min(share, most - rows), now);
      rows += slice.rows;
      if (task->next_row < task->job.queries.rows) group.tasks.push_back(task);
      if (slice.rows > 0) {
        batch.push_back(std::move(slice));
      } else if (task->rows_unfinished == 0) {
        finished->push_back(std::move(task));
      }
    }
    if (group.tasks.empty()) {
      groups_.erase(group.key);
      turns_.pop_front();
    } else {
      turns_.splice(turns_.end(), turns_, turns_.begin());
    }
  }
  return batch;
}

void BatchQueue::Expire(TimePoint now, std::vector<std::shared_ptr<Task>>* finished) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Task* late = deadlines_.begin()->second;
    Abandon(late, Late());
    const auto group = groups_.find(Key{late->job.index.get(), late->job.params});
    auto& tasks = group->second->tasks;
    const auto place = std::find_if(tasks.begin(), tasks.end(), [&](const auto& task) { return task.get() == late; });
    if (late->rows_unfinished == 0) finished->push_back(*place);
    tasks.erase(place);
    if (tasks.empty()) {
      turns_.erase(group->second);
      groups_.erase(group);
    }
  }
}

void BatchQueue::Abandon(Task* task, const absl::Status& status) {
  task->status.Update(status);
  const int64_t waiting = task->job.queries.rows - task->next_row;
  task->next_row += waiting;
  task->rows_unfinished -= waiting;
  waiting_rows_ -= waiting;
  deadlines_.erase({task->job.deadline, task});
}

bool BatchQueue::Complete(const Slice& slice, const absl::Status& status) {
  slice.task->status.Update(status);
  slice.task->rows_unfinished -= slice.rows;
  return slice.task->rows_unfinished == 0;
}

TimePoint BatchQueue::NextDeadline() const { return deadlines_.empty() ? kNoDeadline : deadlines_.begin()->first; }

}  // namespace kith::engine
