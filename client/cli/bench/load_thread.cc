#include "client/cli/bench/load_thread.h"

#include <algorithm>

#include "client/cpp/error.h"

namespace kith::cli {
namespace {

constexpr auto kCancellationCheck = std::chrono::milliseconds(50);
constexpr absl::Duration kPauseAfterError = absl::Milliseconds(100);  // of a closed loop, where the server names none

std::string ReasonOf(const absl::Status& status) {
  std::string reason = ErrorReason(status);
  return reason.empty() ? absl::StatusCodeToString(status.code()) : reason;
}

}  // namespace

std::vector<int> ClientsOf(const LoadOptions& options, int number) {
  std::vector<int> clients;
  for (int client = number; client < options.clients; client += options.threads) clients.push_back(client);
  return clients;
}

LoadThread::LoadThread(const LoadOptions& options, FramesView frames, int number, LoadPort& port)
    : options_(options),
      frames_(frames),
      port_(port),
      clients_(ClientsOf(options, number)),
      blocks_(clients_.size()),
      times_(options.rate.value_or(1), options.clients) {}

void LoadThread::Run(const LoadWindow& window, const Cancellation& cancellation) {
  window_ = window;
  for (size_t i = 0; i < clients_.size(); ++i) due_.emplace(FirstDue(i), static_cast<int>(i));
  const TimePoint give_up = window.end + absl::ToChronoNanoseconds(options_.grace);
  while (true) {
    const TimePoint now = port_.Now();
    const bool sending = now < window.end && !cancellation.cancelled();
    if (sending) SendDue(now);
    if (!sending && (unanswered_.empty() || now >= give_up || cancellation.cancelled())) break;
    if (const auto answer = port_.Next(WakeUp(now, sending))) Take(*answer);
  }
  const auto measured = std::count_if(unanswered_.begin(), unanswered_.end(),
                                      [this](const auto& block) { return block.second.due >= window_.begin; });
  if (cancellation.cancelled()) {
    result_.under_way = measured;  // they might have been answered
  } else if (measured > 0) {
    result_.errors["NO_ANSWER"] += measured;
  }
}

TimePoint LoadThread::FirstDue(size_t client) const {
  return open_loop() ? window_.start + times_.Due(clients_[client], 0) : window_.start;
}

TimePoint LoadThread::WakeUp(TimePoint now, bool sending) const {
  const TimePoint check = now + kCancellationCheck;
  return sending && !due_.empty() ? std::min(check, due_.top().first) : check;
}

void LoadThread::SendDue(TimePoint now) {
  while (!due_.empty() && due_.top().first <= now) {
    const Next next = due_.top();
    due_.pop();
    Send(next);
    if (open_loop()) {
      const size_t client = next.second;
      due_.emplace(window_.start + times_.Due(clients_[client], blocks_[client]), next.second);
    }
  }
}

void LoadThread::Send(const Next& next) {
  const auto [due, client] = next;
  // Clients begin at different places, a prime number of rows apart.
  const int64_t places = frames_.rows() - options_.block_rows + 1;
  const int64_t first = (clients_[client] * int64_t{7919} + blocks_[client]++ * options_.block_rows) % places;
  // A closed loop has no time at which a block is due but that at which it is sent.
  unanswered_.emplace(++sequence_, Sent{open_loop() ? due : port_.Now(), client});
  port_.Send(client, sequence_, frames_.Rows(first, options_.block_rows));
}

void LoadThread::Take(const BlockAnswer& answer) {
  const TimePoint now = port_.Now();
  const auto found = unanswered_.find(answer.sequence);
  if (found == unanswered_.end()) return;
  const Sent sent = found->second;
  unanswered_.erase(found);
  Count(sent, answer.status, now);
  if (open_loop()) return;
  const absl::Duration pause =
      answer.status.ok() ? absl::ZeroDuration() : RetryDelay(answer.status).value_or(kPauseAfterError);
  due_.emplace(now + absl::ToChronoNanoseconds(pause), sent.client);
}

void LoadThread::Count(const Sent& sent, const absl::Status& status, TimePoint now) {
  if (status.ok() && now >= window_.begin && now < window_.end) ++result_.answered_in_time;
  if (sent.due < window_.begin) return;
  const auto latency = now - sent.due;
  const auto& budget = options_.lane.budget;
  if (status.ok()) {
    ++result_.blocks;
    result_.latencies.Add(latency);
    if (budget && latency > absl::ToChronoNanoseconds(*budget)) ++result_.late;
    return;
  }
  const std::string reason = ReasonOf(status);
  if (budget && reason == kLateReason) ++result_.late;
  ++result_.errors[reason];
}

}  // namespace kith::cli
