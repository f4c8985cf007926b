#include "server/base/strand.h"

#include <utility>

namespace kith {

void Strand::Run(std::function<void()> task) {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->tasks.push_back(std::move(task));
    if (state_->running) return;
    state_->running = true;
  }
  state_->pool->Run([state = state_] { Step(state); });
}

void Strand::Step(const std::shared_ptr<State>& state) {
  std::function<void()> task;
  {
    const std::lock_guard<std::mutex> lock(state->mutex);
    task = std::move(state->tasks.front());
    state->tasks.pop_front();
  }
  task();
  task = nullptr;  // what it holds is let go before the next one runs
  const std::lock_guard<std::mutex> lock(state->mutex);
  state->running = !state->tasks.empty();
  if (state->running) state->pool->Run([state] { Step(state); });
}

}  // namespace kith
