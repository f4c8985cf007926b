#include "client/cli/bench/load_thread.h"

#include <algorithm>

#include "client/cpp/error.h"

namespace kith::cli {
namespace {

constexpr auto kCancellationCheck = std::chrono::milliseconds(50);
constexpr absl::Duration kPauseAfterError = absl::Milliseconds(100);  // of a closed loop, where the server names none

int ClientsOf(const LoadOptions& options, int thread) {
  return (options.clients - thread + options.threads - 1) / options.threads;
}

int ConnectionsOf(const LoadOptions& options, int thread) {
  const int share = (options.connections + options.threads - 1) / options.threads;
  return std::max(1, std::min(share, ClientsOf(options, thread)));
}

std::string ReasonOf(const absl::Status& status) {
  std::string reason = ErrorReason(status);
  return reason.empty() ? absl::StatusCodeToString(status.code()) : reason;
}

}  // namespace

LoadThread::LoadThread(const LoadOptions& options, FramesView frames, int number)
    : options_(options),
      frames_(frames),
      pump_(options.client, ConnectionsOf(options, number)),
      times_(options.rate.value_or(1), options.clients) {
  for (int client = number; client < options.clients; client += options.threads) {
    clients_.push_back(client);
    LaneOptions lane = options.lane;
    lane.experiment = options.experiments[static_cast<size_t>(client) % options.experiments.size()];
    pump_.AddLane(lane);
  }
  blocks_.resize(clients_.size());
}

void LoadThread::Run(const LoadWindow& window, const Cancellation& cancellation) {
  window_ = window;
  for (size_t i = 0; i < clients_.size(); ++i) due_.emplace(FirstDue(i), static_cast<int>(i));
  const TimePoint give_up = window.end + absl::ToChronoNanoseconds(options_.grace);
  while (true) {
    const TimePoint now = Clock::now();
    const bool sending = now < window.end && !cancellation.cancelled();
    if (sending) SendDue(now);
    if (!sending && (unanswered_.empty() || now >= give_up || cancellation.cancelled())) break;
    if (const auto answer = pump_.Next(WakeUp(now, sending))) Take(*answer);
  }
  if (cancellation.cancelled()) return;  // what is under way would have been answered
  for (const auto& [sequence, sent] : unanswered_) {
    if (sent.due >= window_.begin) ++result_.errors["NO_ANSWER"];
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
  unanswered_.emplace(++sequence_, Sent{open_loop() ? due : Clock::now(), client});
  pump_.Send(client, sequence_, frames_.Rows(first, options_.block_rows));
}

void LoadThread::Take(const BlockAnswer& answer) {
  const TimePoint now = Clock::now();
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
  if (budget && reason == "LATE") ++result_.late;
  ++result_.errors[reason];
}

}  // namespace kith::cli
