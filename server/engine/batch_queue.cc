#include "server/engine/batch_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::engine {

struct Source {
  Source(uint64_t id, BatchQueue::Turn turn, std::pmr::memory_resource* memory) : id(id), turn(turn), lanes(memory) {}

  const uint64_t id;
  BatchQueue::Turn turn;
  double work = 0;              // that waits
  int64_t rows = 0;             // that wait
  std::pmr::list<Lane*> lanes;  // the next first
  std::pmr::list<Source>::iterator place;
};

struct Group {
  Group(const BatchQueue::Key& key, std::pmr::memory_resource* memory) : key(key), lanes(memory) {}

  const BatchQueue::Key key;
  int64_t rows = 0;            // that wait
  std::pmr::list<Lane> lanes;  // the next first
  std::pmr::list<Group>::iterator place;
};

namespace {

// Up to here a task is not cut because others wait beside it: a real-time block stays whole.
constexpr int64_t kRowsOfABlock = 64;

constexpr absl::Duration kRetryDelay = absl::Milliseconds(100);

absl::Status Late() {
  return Error(Reason::kLate,
               "the time for it was over before it was its turn; the server is busy, or the budget too small");
}

absl::Status WouldBeLate() {
  return Error(Reason::kLate, "its time would be over before its turn; the server is busy, or the budget too small");
}

}  // namespace

BatchQueue::BatchQueue(int64_t queue_rows, int64_t batch_rows, int workers)
    : queue_rows_(queue_rows),
      batch_rows_(batch_rows),
      workers_(workers),
      sources_(&memory_),
      groups_(&memory_),
      order_(&memory_),
      deadlines_(&memory_) {}

BatchQueue::~BatchQueue() = default;

absl::Status BatchQueue::Push(Job job, TimePoint now) {
  const auto found = source_of_.find(job.source);
  const Source* const known = found == source_of_.end() ? nullptr : found->second;
  const int64_t rows = job.queries.rows;
  const double work_of_row = 1.0 / static_cast<double>(job.index->RowsAtOnce(job.params));
  const double work = static_cast<double>(rows) * work_of_row;
  if (absl::Status status = CheckRoom(rows, known); !status.ok()) return status;
  if (absl::Status status = CheckTime(job, work, known, now); !status.ok()) return status;

  Lane* const lane = LaneOf(job.source, Key{job.index.get(), job.params});
  const auto task = std::make_shared<Task>(std::move(job));
  task->work_of_row = work_of_row;
  task->lane = lane;
  task->place = lane->tasks.insert(lane->tasks.end(), task);
  if (task->job.deadline != kNoDeadline) deadlines_.emplace(task->job.deadline, task.get());
  waiting_rows_ += rows;
  waiting_work_ += work;
  lane->group->rows += rows;
  lane->source->rows += rows;
  lane->source->work += work;
  return absl::OkStatus();
}

absl::Status BatchQueue::CheckRoom(int64_t rows, const Source* source) const {
  const int64_t room = queue_rows_ - waiting_rows_;
  if (rows > room) {
    return WithRetryDelay(
        Error(Reason::kOverloaded, absl::StrCat("the server is busy: ", waiting_rows_, " rows wait and at most ",
                                                queue_rows_, " may; try again a little later")),
        kRetryDelay);
  }
  if (source != nullptr && source->rows + rows > room) {
    return WithRetryDelay(
        Error(Reason::kOverloaded, absl::StrCat("the server is busy: ", source->rows,
                                                " rows of this client wait, and what room there is is for others; wait "
                                                "for answers before you send more")),
        kRetryDelay);
  }
  return absl::OkStatus();
}

absl::Status BatchQueue::Hold(int64_t rows) {
  if (absl::Status status = CheckRoom(rows, nullptr); !status.ok()) return status;
  waiting_rows_ += rows;
  return absl::OkStatus();
}

absl::Status BatchQueue::CheckTime(const Job& job, double work, const Source* source, TimePoint now) const {
  if (job.deadline == kNoDeadline) return absl::OkStatus();
  if (job.deadline <= now) return Late();
  // Nothing is ahead of it. If this were refused too, a slow time would last: nobody would be let in to show it is
  // over.
  if (idle()) return absl::OkStatus();
  // It has to have time for all of its batch.
  const double batch = BatchWork(waiting_work_, work / static_cast<double>(job.queries.rows));
  const auto pace = pace_.WorkIn(job.deadline - now - pace_.TimeFor(batch));
  if (!pace) return absl::OkStatus();
  // Half of what the workers are at is done, on the average.
  const double possible = *pace * workers_ - running_work_ / 2;

  // By the time that a source has been served so much, no other one that waits has had more.
  const double own = work + (source == nullptr ? 0 : source->work);
  const double others = waiting_work_ - (own - work);
  if (own + std::min(others, own * static_cast<double>(sources_.size())) <= possible) return absl::OkStatus();
  double ahead = own;
  for (const Source& other : sources_) {
    if (&other != source) ahead += std::min(other.work, own);
    if (ahead > possible) return WouldBeLate();
  }
  return ahead > possible ? WouldBeLate() : absl::OkStatus();
}

Lane* BatchQueue::LaneOf(uint64_t source_id, const Key& key) {
  Source*& source = source_of_[source_id];
  if (source == nullptr) {
    sources_.emplace_front(source_id, Turn(served_, ++turns_given_), &memory_);
    source = &sources_.front();
    source->place = sources_.begin();
    order_.emplace(source->turn, source);
  }
  Group*& group = group_of_[key];
  if (group == nullptr) {
    groups_.emplace_front(key, &memory_);
    group = &groups_.front();
    group->place = groups_.begin();
  }
  Lane*& lane = lane_of_[{source, group}];
  if (lane == nullptr) {
    group->lanes.emplace_back(source, group, &memory_);
    lane = &group->lanes.back();
    lane->in_group = std::prev(group->lanes.end());
    lane->in_source = source->lanes.insert(source->lanes.end(), lane);
  }
  return lane;
}

void BatchQueue::RemoveIfEmpty(Lane* lane) {
  if (!lane->tasks.empty()) return;
  Source* const source = lane->source;
  Group* const group = lane->group;
  lane_of_.erase({source, group});
  source->lanes.erase(lane->in_source);
  group->lanes.erase(lane->in_group);
  if (group->lanes.empty()) {
    group_of_.erase(group->key);
    groups_.erase(group->place);
  }
  if (source->lanes.empty()) {
    order_.erase(source->turn);
    source_of_.erase(source->id);
    sources_.erase(source->place);
  }
  if (sources_.empty()) waiting_work_ = 0;  // and no rest of rounding
}

std::vector<Slice> BatchQueue::TakeBatch(TimePoint now, std::vector<std::shared_ptr<Task>>* finished) {
  std::vector<Slice> batch;
  while (batch.empty() && !order_.empty()) {
    Source* const next = order_.begin()->second;
    const auto waiting = static_cast<double>(sources_.size());
    served_ = std::max(served_, next->turn.first);
    Group* const group = next->lanes.front()->group;
    group->lanes.splice(group->lanes.begin(), group->lanes, next->lanes.front()->in_group);
    const int64_t rows_at_once = group->key.index->RowsAtOnce(group->key.params);
    const int64_t most = std::min(batch_rows_, rows_at_once);
    const double work_of_row = 1.0 / static_cast<double>(rows_at_once);
    const double work = BatchWork(static_cast<double>(group->rows) * work_of_row, work_of_row);
    const TimePoint end = HasOneTaskOnly() ? now : now + pace_.TimeFor(work);  // a lone one, whatever the pace was
    int64_t rows = 0;
    for (auto left = static_cast<int64_t>(group->lanes.size()); left > 0 && rows < most; --left) {
      Lane* const lane = &group->lanes.front();
      Source* const source = lane->source;
      rows += TakeFrom(lane, (most - rows) / left, most - rows, end, &batch, finished);
      group->lanes.splice(group->lanes.end(), group->lanes, lane->in_group);
      source->lanes.splice(source->lanes.end(), source->lanes, lane->in_source);
      RemoveIfEmpty(lane);  // the group too, with its last lane: then none is left
    }
    served_ += WorkOf(batch) / waiting;
  }
  return batch;
}

double BatchQueue::BatchWork(double waiting_work, double work_of_row) const {
  return std::min({waiting_work, static_cast<double>(batch_rows_) * work_of_row, 1.0});
}

bool BatchQueue::HasOneTaskOnly() const {
  return running_rows_ == 0 && lane_of_.size() == 1 && lane_of_.begin()->second->tasks.size() == 1;
}

int64_t BatchQueue::TakeFrom(Lane* lane, int64_t share, int64_t most, TimePoint end, std::vector<Slice>* batch,
                             std::vector<std::shared_ptr<Task>>* finished) {
  int64_t taken = 0;
  double work = 0;
  for (auto left = static_cast<int64_t>(lane->tasks.size()); left > 0 && (taken == 0 || taken < share); --left) {
    const std::shared_ptr<Task> task = lane->tasks.front();
    DropIfOver(task.get(), end);
    const int64_t part = std::max(kRowsOfABlock, (share - taken) / left);
    const int64_t rows = std::min({task->waiting_rows(), part, most - taken});
    if (rows > 0) {
      batch->push_back({task, task->next_row, rows});
      taken += rows;
      running_rows_ += rows;
      work += batch->back().work();
      Advance(task.get(), rows);
    } else if (task->rows_unfinished == 0) {
      finished->push_back(task);
    }
    if (task->waiting_rows() > 0) {
      lane->tasks.splice(lane->tasks.end(), lane->tasks, task->place);
    } else {
      lane->tasks.erase(task->place);
    }
  }
  running_work_ += work;
  Charge(lane->source, work);
  return taken;
}

void BatchQueue::Charge(Source* source, double work) {
  auto node = order_.extract(source->turn);
  source->turn = Turn(source->turn.first + work, ++turns_given_);
  node.key() = source->turn;
  order_.insert(std::move(node));
}

double BatchQueue::WorkOf(const std::vector<Slice>& batch) const {
  double work = 0;
  for (const Slice& slice : batch) work += slice.work();
  return work;
}

void BatchQueue::DropIfOver(Task* task, TimePoint end) {
  if (end >= task->job.deadline) {
    Abandon(task, Late());
  } else if (task->job.cancelled && task->job.cancelled()) {
    Abandon(task, Error(Reason::kCancelled, "the caller went away"));
  }
}

void BatchQueue::Expire(TimePoint now, std::vector<std::shared_ptr<Task>>* finished) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Task* const late = deadlines_.begin()->second;
    Lane* const lane = late->lane;
    Abandon(late, Late());
    if (late->rows_unfinished == 0) finished->push_back(*late->place);
    lane->tasks.erase(late->place);
    RemoveIfEmpty(lane);
  }
}

void BatchQueue::Abandon(Task* task, const absl::Status& status) {
  task->status.Update(status);
  const int64_t rows = task->waiting_rows();
  task->rows_unfinished -= rows;
  Advance(task, rows);
}

void BatchQueue::Advance(Task* task, int64_t rows) {
  const double work = static_cast<double>(rows) * task->work_of_row;
  task->next_row += rows;
  waiting_rows_ -= rows;
  waiting_work_ -= work;
  task->lane->group->rows -= rows;
  task->lane->source->rows -= rows;
  task->lane->source->work -= work;
  if (task->waiting_rows() == 0 && task->job.deadline != kNoDeadline) {
    deadlines_.erase({task->job.deadline, task});
  }
}

bool BatchQueue::Complete(const Slice& slice, const absl::Status& status) {
  slice.task->status.Update(status);
  slice.task->rows_unfinished -= slice.rows;
  running_rows_ -= slice.rows;
  running_work_ = running_rows_ == 0 ? 0 : running_work_ - slice.work();
  return slice.task->rows_unfinished == 0;
}

void BatchQueue::Measured(const std::vector<Slice>& batch, Clock::duration taken) {
  pace_.Measured(WorkOf(batch), taken);
}

TimePoint BatchQueue::NextDeadline() const { return deadlines_.empty() ? kNoDeadline : deadlines_.begin()->first; }

}  // namespace kith::engine
