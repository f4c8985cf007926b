// A job in the queue, and parts of it.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <memory_resource>
#include <utility>

#include "absl/status/status.h"
#include "server/engine/job.h"

namespace kith::engine {

struct Lane;

// How much of a job is still to do.
struct Task {
  explicit Task(Job job) : job(std::move(job)), rows_unfinished(this->job.queries.rows) {}

  Job job;
  int64_t next_row = 0;     // rows from here on wait in the queue
  int64_t rows_unfinished;  // waiting or with a worker
  double work_of_row = 0;   // 1 is what a worker does in a few milliseconds
  absl::Status status;      // the first thing that went wrong

  // Where it waits, while it does.
  Lane* lane = nullptr;
  std::pmr::list<std::shared_ptr<Task>>::iterator place;

  int64_t waiting_rows() const { return job.queries.rows - next_row; }
};

// Rows of one task: queries.Slice(first_row, rows).
struct Slice {
  std::shared_ptr<Task> task;
  int64_t first_row = 0;
  int64_t rows = 0;

  double work() const { return static_cast<double>(rows) * task->work_of_row; }
};

}  // namespace kith::engine
