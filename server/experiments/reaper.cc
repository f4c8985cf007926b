#include "server/experiments/reaper.h"

#include <utility>

#include "server/base/memory.h"

namespace kith::experiments {

Reaper::~Reaper() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::shared_ptr<Generation> Reaper::Own(std::shared_ptr<Reaper> reaper, std::unique_ptr<Generation> generation) {
  return {generation.release(),
          [reaper = std::move(reaper)](Generation* dead) { reaper->Take(std::unique_ptr<Generation>(dead)); }};
}

bool Reaper::WaitUntilDone() {
  std::unique_lock<std::mutex> lock(mutex_);
  const bool any = busy_ || !waiting_.empty();
  changed_.wait(lock, [this] { return waiting_.empty() && !busy_; });
  return any;
}

void Reaper::Take(std::unique_ptr<Generation> generation) {
  const std::lock_guard<std::mutex> lock(mutex_);
  waiting_.push_back(std::move(generation));
  changed_.notify_all();
}

void Reaper::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    auto dead = std::exchange(waiting_, {});
    busy_ = true;
    lock.unlock();
    // The budget hears of it last: whoever it then lets in finds the memory free.
    std::deque<MemoryBudget::Reservation> memory;
    for (const auto& generation : dead) memory.push_back(std::move(generation->memory));
    dead.clear();
    ReturnFreedMemory();
    memory.clear();
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace kith::experiments
