// One request for a search, as the engine takes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "server/base/clock.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/index.h"
#include "server/retrieval/search.h"

namespace kith::engine {

// When a job was where, for whoever measures.
struct JobTimes {
  TimePoint queued;    // it was submitted
  TimePoint taken;     // a worker took its first rows
  TimePoint computed;  // the last of its rows had been searched and consumed
};

struct Job {
  std::shared_ptr<const retrieval::Index> index;
  retrieval::SearchParams params;  // from index->Resolve
  retrieval::FrameView queries;    // at least one row; stays valid until `done`
  TimePoint deadline = kNoDeadline;
  uint64_t source = 0;              // who sent it, as any number; the workers' time is shared out among those that wait
  std::function<bool()> cancelled;  // may be empty; asked before rows are taken up
  bool here = false;  // the thread that submits it may search it, where that is quick and no other waits or is being
                      // searched: a worker would have to be woken first, which takes a quarter as long
  JobTimes* times = nullptr;  // where not null, filled in before an OK is told; stays valid until `done`

  // Takes the neighbours of rows first_row to first_row + neighbors.rows - 1. Called by workers (see `here`) for each
  // part of the queries exactly once, for several parts at the same time perhaps.
  std::function<void(int64_t first_row, retrieval::NeighborsView neighbors)> consume;

  // Called exactly once, after the last `consume`: OK, or why not all rows were searched (LATE, CANCELLED, or what the
  // search said).
  std::function<void(const absl::Status&)> done;
};

}  // namespace kith::engine
