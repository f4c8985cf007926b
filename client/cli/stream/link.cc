#include "client/cli/stream/link.h"

#include <algorithm>
#include <utility>

#include "client/cpp/error.h"

namespace kith::cli {
namespace {

constexpr absl::Duration kFirstBackoff = absl::Milliseconds(100);
constexpr absl::Duration kMaxBackoff = absl::Seconds(1);
constexpr absl::Duration kMaxBackoffOfRestart = absl::Milliseconds(200);  // it may be back at any moment

}  // namespace

StreamLink::StreamLink(const StreamLinkOptions& options, Playout& playout)
    : options_(options), playout_(playout), client_(options.client), thread_(&StreamLink::Run, this) {}

StreamLink::~StreamLink() { Stop(std::chrono::milliseconds(0)); }

bool StreamLink::Send(int64_t sequence, SharedFrames frames) {
  std::lock_guard lock(mutex_);
  if (stream_ == nullptr || stopping_ || queue_.size() >= options_.max_queue) return false;
  queue_.push_back({sequence, std::move(frames)});
  changed_.notify_all();
  return true;
}

void StreamLink::Reset() {
  std::lock_guard lock(mutex_);
  if (stream_ == nullptr) return;
  reset_ = true;
  stream_->TryCancel();
}

bool StreamLink::WaitUntilOpen(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return stream_ != nullptr; });
}

void StreamLink::Stop(std::chrono::milliseconds grace) {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    if (stream_ != nullptr) changed_.wait_for(lock, grace, [this] { return finished_; });
  }
  cancellation_.Cancel();
  thread_.join();
}

LinkCounts StreamLink::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

void StreamLink::Run() {
  absl::Duration backoff = kFirstBackoff;
  CallOptions call;
  call.request_id = options_.request_id;
  call.cancellation = &cancellation_;
  while (!stopping()) {
    auto stream = client_.StreamExpand(options_.experiment, options_.params, options_.budget, call);
    if (!stream.ok()) NoteError(stream.status(), /*broken=*/false);
    const bool answered = stream.ok() && Serve(**stream);
    const absl::Status last_error = counts().last_error;
    const bool away = absl::IsUnavailable(last_error) || absl::IsCancelled(last_error);
    backoff = answered ? kFirstBackoff : std::min(2 * backoff, away ? kMaxBackoffOfRestart : kMaxBackoff);
    if (stopping() || cancellation_.WaitFor(backoff)) break;
  }
  std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_all();
}

// Uses the stream until it ends. True if it gave any answer.
bool StreamLink::Serve(ExpandStream& stream) {
  {
    std::lock_guard lock(mutex_);
    stream_ = &stream;
    changed_.notify_all();
  }
  std::thread writer(&StreamLink::WriteBlocks, this, std::ref(stream));
  bool answered = false;
  absl::Status end = ReadAnswers(stream, &answered);
  {
    std::lock_guard lock(mutex_);
    if (reset_) end = absl::DeadlineExceededError("the server stopped answering");
    reset_ = false;
    stream_ = nullptr;
    queue_.clear();
    changed_.notify_all();
  }
  stream.TryCancel();  // a write that still waits
  writer.join();
  if (!end.ok()) NoteError(end, /*broken=*/true);
  playout_.Lost();
  return answered;
}

absl::Status StreamLink::ReadAnswers(ExpandStream& stream, bool* answered) {
  while (true) {
    auto answer = stream.Read();
    if (!answer.ok()) return answer.status();
    if (!answer->has_value()) return absl::OkStatus();
    Block<ExpandResult>& block = **answer;
    if (!*answered) {
      *answered = true;
      std::lock_guard lock(mutex_);
      counts_.refused = false;
      if (served_before_) ++counts_.reconnects;
      served_before_ = true;
    }
    playout_.Answer(block.sequence, block.status, std::move(block.result.frames), Clock::now());
  }
}

void StreamLink::WriteBlocks(ExpandStream& stream) {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stream_ == nullptr || stopping_ || !queue_.empty(); });
    if (stream_ == nullptr) return;
    if (queue_.empty()) break;  // stopping
    const Outgoing block = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    const bool written = stream.Write(block.sequence, *block.frames).ok();
    lock.lock();
    if (!written) return;  // the reader sees why
  }
  lock.unlock();
  stream.Close();
}

void StreamLink::NoteError(const absl::Status& status, bool broken) {
  std::lock_guard lock(mutex_);
  if (stopping_) return;
  if (broken) ++counts_.errors;
  counts_.last_error = status;
  counts_.refused = !ErrorReason(status).empty() && !absl::IsUnavailable(status);
}

bool StreamLink::stopping() const {
  std::lock_guard lock(mutex_);
  return stopping_;
}

}  // namespace kith::cli
