#include "tests/soak/session.h"

#include <cmath>
#include <deque>
#include <memory>
#include <thread>
#include <utility>

#include "client/cpp/error.h"

namespace kith::soak {
namespace {

using Clock = std::chrono::steady_clock;

// What the two kinds of stream differ in. A stored row finds itself, and is blended to itself.
struct Searching {
  using Result = SearchResult;
  static auto Open(Client& client, const Voice& voice, absl::Duration budget) {
    return client.StreamSearch(voice.name(), {}, budget);
  }
  static bool IsRight(const SearchResult& result, const Frames&, int64_t first, int64_t rows) {
    if (static_cast<int64_t>(result.ids.size()) != rows * result.k) return false;
    for (int64_t i = 0; i < rows; ++i) {
      if (result.ids[static_cast<size_t>(i * result.k)] != first + i) return false;
    }
    return true;
  }
};
struct Expanding {
  using Result = ExpandResult;
  static auto Open(Client& client, const Voice& voice, absl::Duration budget) {
    return client.StreamExpand(voice.name(), {}, budget);
  }
  static bool IsRight(const ExpandResult& result, const Frames& sent, int64_t, int64_t) {
    if (result.frames.values.size() != sent.values.size()) return false;
    for (size_t i = 0; i < sent.values.size(); ++i) {
      if (!(std::abs(result.frames.values[i] - sent.values[i]) <= 1e-5F)) return false;
    }
    return true;
  }
};

template <typename Kind>
class Session {
 public:
  Session(const Voice& voice, const SessionOptions& options, Outcome* outcome)
      : voice_(voice), options_(options), outcome_(outcome), client_(std::make_unique<Client>(OptionsOf(options))) {}

  void Run(std::mt19937_64& random) {
    auto opened = Kind::Open(*client_, voice_, options_.budget);
    if (!opened.ok()) return CountFault("opening a stream", opened.status());
    stream_ = *std::move(opened);
    if (options_.interval) {
      std::thread reader([this] { ReadToTheEnd(); });
      SendWhenDue(random);
      Leave();
      reader.join();
    } else {
      SendInTurn(random);
      Leave();
      ReadToTheEnd();
    }
    const std::lock_guard<std::mutex> lock(outcome_->mutex);
    ++outcome_->sessions;
    if (options_.farewell != Farewell::kClose) {
      outcome_->abandoned += static_cast<int64_t>(sent_.size());
    } else if (!sent_.empty()) {
      outcome_->faults["blocks of a stream without an answer"] += static_cast<int64_t>(sent_.size());
    }
  }

 private:
  struct Sent {
    int64_t first;
    Frames frames;
    Clock::time_point due;
  };

  static ClientOptions OptionsOf(const SessionOptions& options) {
    ClientOptions client;
    client.target = options.address;
    return client;
  }

  void SendWhenDue(std::mt19937_64& random) {
    Clock::time_point due = Clock::now();
    for (int64_t i = 0; i < options_.blocks && Send(i, due, random); ++i) {
      due += *options_.interval;
      std::this_thread::sleep_until(due);
    }
  }

  void SendInTurn(std::mt19937_64& random) {
    for (int64_t i = 0; i < options_.blocks && Send(i, Clock::now(), random) && ReadOne(); ++i) {
    }
  }

  bool Send(int64_t sequence, Clock::time_point due, std::mt19937_64& random) {
    const auto places = static_cast<uint64_t>(options_.rows - options_.block_rows + 1);
    const auto first = static_cast<int64_t>(random() % places);
    Sent block{first, voice_.Rows(first, options_.block_rows), due};
    const Frames frames = block.frames;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      sent_.push_back(std::move(block));
    }
    return stream_->Write(sequence, frames).ok();  // otherwise the stream is over, and reading tells why
  }

  void Leave() {
    if (options_.farewell == Farewell::kClose) return stream_->Close();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      leaving_ = true;
    }
    stream_->TryCancel();
    if (options_.farewell == Farewell::kVanish) client_.reset();
  }

  void ReadToTheEnd() {
    while (ReadOne()) {
    }
  }

  // False when the stream is over.
  bool ReadOne() {
    auto answer = stream_->Read();
    if (!answer.ok()) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!leaving_ || !absl::IsCancelled(answer.status())) CountFault("a stream", answer.status());
      return false;
    }
    if (!answer->has_value()) return false;
    Take(**answer);
    return true;
  }

  void Take(const Block<typename Kind::Result>& answer) {
    const auto now = Clock::now();
    const Sent sent = [this] {
      const std::lock_guard<std::mutex> lock(mutex_);
      Sent front = std::move(sent_.front());
      sent_.pop_front();
      return front;
    }();
    const int64_t sequence = next_++;
    const bool right = answer.status.ok() && Kind::IsRight(answer.result, sent.frames, sent.first, options_.block_rows);
    const std::lock_guard<std::mutex> lock(outcome_->mutex);
    if (answer.sequence != sequence) ++outcome_->faults["an answer out of turn"];
    if (right) {
      ++outcome_->answered;
      outcome_->latencies.Add(now - sent.due);
      if (now - sent.due > absl::ToChronoNanoseconds(options_.budget)) ++outcome_->late;
    } else if (answer.status.ok()) {
      ++outcome_->faults["a wrong result of " + voice_.name()];
    } else if (ErrorReason(answer.status) == "LATE") {
      ++outcome_->late;
    } else if (ErrorReason(answer.status) == "OVERLOADED") {
      ++outcome_->overloaded;
    } else {
      ++outcome_->faults["a block: " + answer.status.ToString()];
    }
  }

  void CountFault(const std::string& what, const absl::Status& status) {
    const std::lock_guard<std::mutex> lock(outcome_->mutex);
    ++outcome_->faults[what + ": " + status.ToString()];
  }

  const Voice& voice_;
  const SessionOptions& options_;
  Outcome* const outcome_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<BlockStream<typename Kind::Result>> stream_;
  int64_t next_ = 0;  // the sequence number of the next answer

  std::mutex mutex_;
  std::deque<Sent> sent_;  // not answered yet; guarded by mutex_
  bool leaving_ = false;   // guarded by mutex_
};

}  // namespace

void RunSession(const Voice& voice, const SessionOptions& options, std::mt19937_64& random, Outcome* outcome) {
  if (options.search) {
    Session<Searching>(voice, options, outcome).Run(random);
  } else {
    Session<Expanding>(voice, options, outcome).Run(random);
  }
}

}  // namespace kith::soak
