#include "server/base/strand.h"

namespace kith {

void Strand::Run(std::function<void()> task, Pace pace) {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->tasks.emplace_back(std::move(task), pace);
    if (state_->running) return;
    state_->running = true;
  }
  state_->pool->Run([state = state_] { Step(state); }, pace);
}

void Strand::Step(const std::shared_ptr<State>& state) {
  std::function<void()> task;
  {
    const std::lock_guard<std::mutex> lock(state->mutex);
    task = std::move(state->tasks.front().first);
    state->tasks.pop_front();
  }
  task();
  task = nullptr;  // what it holds is let go before the next one runs
  const std::lock_guard<std::mutex> lock(state->mutex);
  state->running = !state->tasks.empty();
  if (state->running) state->pool->Run([state] { Step(state); }, state->tasks.front().second);
}

}  // namespace kith
