// StreamSearch and StreamExpand: blocks in, answers out in the order of the blocks.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/guard.h"
#include "server/base/status.h"
#include "server/rpc/block_trace.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/cost.h"
#include "server/rpc/operation.h"
#include "server/rpc/status.h"
#include "server/rpc/stream_set.h"
#include "server/rpc/unread.h"

namespace kith::rpc {

// What the two kinds of stream differ in.
struct SearchStreamKind {
  using Request = v1::StreamSearchRequest;
  using Response = v1::StreamSearchResponse;
  static constexpr telemetry::Rpc kRpc = telemetry::Rpc::kStreamSearch;
  static absl::StatusOr<BlockOptions> Open(const v1::StreamOpen& open, const config::Limits& limits);
  static int64_t AnswerBytes(const BlockOptions& options, const v1::FloatBatch& frames) {
    return SearchAnswerBytes(frames, options.search.k);
  }
  static absl::Status Start(const Context& context, const BlockOptions& options, const v1::FloatBatch& frames,
                            BlockCall call, Response* response) {
    return StartSearch(context, options, frames, std::move(call), response);
  }
};
struct ExpandStreamKind {
  using Request = v1::StreamExpandRequest;
  using Response = v1::StreamExpandResponse;
  static constexpr telemetry::Rpc kRpc = telemetry::Rpc::kStreamExpand;
  static absl::StatusOr<BlockOptions> Open(const v1::StreamOpen& open, const config::Limits& limits);
  static int64_t AnswerBytes(const BlockOptions&, const v1::FloatBatch& frames) { return ExpandAnswerBytes(frames); }
  static absl::Status Start(const Context& context, const BlockOptions& options, const v1::FloatBatch& frames,
                            BlockCall call, Response* response) {
    return StartExpand(context, options, frames, std::move(call), response);
  }
};

// What a stream's opening says about all its blocks.
struct StreamOptions {
  BlockOptions block;
  std::optional<std::chrono::microseconds> budget;
};

// Deletes itself when the call is over.
//
// State changes happen under mutex_; what they lead to (a read, a write, the end) is started after it is let go, by
// whoever made the change, because gRPC may end the call, and OnDone delete it, as soon as its end is started.
template <typename Kind>
class BlockStream : public GatedCall<grpc::ServerBidiReactor<typename Kind::Request, typename Kind::Response>>,
                    public Drainable {
  using Base = GatedCall<grpc::ServerBidiReactor<typename Kind::Request, typename Kind::Response>>;

 public:
  using Reactor = grpc::ServerBidiReactor<typename Kind::Request, typename Kind::Response>;

  // The stream, or a call that is told why there can be none. `source`: SourceOf the call.
  static Reactor* Open(const Context& context, StreamSet* streams, uint64_t source, CallGate::Pass pass) {
    std::unique_ptr<BlockStream> stream(new BlockStream(context, streams, source, std::move(pass)));
    if (absl::Status status = streams->Enter(stream.get()); !status.ok()) {
      return new RefusedCall<Reactor>(stream->pass().End(ToGrpc(status)));
    }
    stream->Read();
    return stream.release();
  }

  void OnReadDone(bool ok) override {
    const TimePoint received = Clock::now();
    std::unique_lock<std::mutex> lock(mutex_);
    reading_ = false;
    if (finished_) return;
    if (!ok) {
      if (!end_) end_ = cancelled_ ? grpc::Status::CANCELLED : ToGrpc(CheckUnread(incoming_->request));
    } else {
      taking_ = true;
      lock.unlock();
      const absl::Status status = Guarded([&] { return Take(received); });
      lock.lock();
      taking_ = false;
      if (!status.ok() && !end_) end_ = ToGrpc(status);
    }
    Advance(std::move(lock));
  }

  void OnWriteDone(bool ok) override {
    std::unique_lock<std::mutex> lock(mutex_);
    writing_ = false;
    PopFront();
    if (!ok) SetCancelled();
    Advance(std::move(lock));
  }

  void OnCancel() override {
    std::unique_lock<std::mutex> lock(mutex_);
    SetCancelled();
    Advance(std::move(lock));
  }

  void OnDone() override {
    streams_->Leave(this);
    delete this;
  }

  // Answers the blocks that are here, then ends the stream.
  void Drain() override {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!end_) end_ = ToGrpc(ShuttingDown());
    Advance(std::move(lock));
  }

 private:
  // A block from its arrival until its answer is written.
  struct Block {
    typename Kind::Request request;
    typename Kind::Response response;
    BlockTrace trace;
    AnswerRoom::Part answer;
    int64_t answer_bytes = 0;
    bool ready = false;  // guarded by mutex_
  };

  // So many blocks may be here, as long as their answers have no more than so many bytes; further ones wait in the
  // transport. So a client that takes no answers is not given all the room that there is for them.
  static constexpr size_t kMostPending = 64;
  static constexpr int64_t kMostPendingBytes = int64_t{8} << 20;

  // This part of a budget goes by before a block is received and after it is answered.
  static constexpr int kPartOnTheWay = 50;

  BlockStream(const Context& context, StreamSet* streams, uint64_t source, CallGate::Pass pass)
      : Base(std::move(pass)), context_(context), streams_(streams), source_(source) {}

  void Read() {
    incoming_ = std::make_shared<Block>();
    MarkUnread(&incoming_->request);
    this->StartRead(&incoming_->request);
  }

  // Handles the message just read. An error ends the stream.
  absl::Status Take(TimePoint received) {
    const std::shared_ptr<Block> block = std::move(incoming_);
    block->trace.received = received;
    if (absl::Status status = this->pass().Check(); !status.ok()) return status;
    const bool opens = !options_.has_value();
    if (opens) {
      if (absl::Status status = Open(block->request); !status.ok()) return status;
      if (!block->request.has_frames()) return absl::OkStatus();
    }
    block->answer_bytes = Kind::AnswerBytes(options_->block, block->request.frames());
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      pending_.push_back(block);
      pending_bytes_ += block->answer_bytes;
    }
    const absl::Status status =
        !opens && block->request.has_open()
            ? Error(Reason::kBadParameter, "open: only the first message of a stream may have it; open another stream")
            : Guarded([&] { return Start(block, received); });
    if (!status.ok()) Answer(block.get(), status);
    return absl::OkStatus();
  }

  absl::Status Open(const typename Kind::Request& request) {
    if (!request.has_open()) {
      return Error(Reason::kBadParameter, "open: the first message of a stream must have it");
    }
    if (absl::Status status = this->pass().Allow(request.open().experiment()); !status.ok()) return status;
    if (absl::Status status = this->pass().EnterStream(); !status.ok()) return status;
    StreamOptions options;
    auto block = Kind::Open(request.open(), context_.limits->Get());
    if (!block.ok()) return block.status();
    options.block = *std::move(block);
    if (request.open().has_budget_ms()) {
      if (request.open().budget_ms() < 1)
        return Error(Reason::kBadParameter, "open.budget_ms: out of range; 1 or more");
      options.budget = std::chrono::milliseconds(request.open().budget_ms());
    }
    const auto generation = context_.registry->FindResident(options.block.experiment);
    if (!generation.ok()) return generation.status();
    if (*generation == nullptr) {  // so that it is there for the first block; the blocks find what is wrong
      context_.registry->Acquire(options.block.experiment, [](const auto&) {});
    } else if (const auto params = (*generation)->index->Resolve(options.block.search); !params.ok()) {
      return params.status();
    }
    options_ = std::move(options);
    return absl::OkStatus();
  }

  absl::Status Start(const std::shared_ptr<Block>& block, TimePoint received) {
    if (absl::Status status = this->pass().Take(CostOf(block->request)); !status.ok()) return status;
    BlockCall call;
    if (options_->budget) call.deadline = received + *options_->budget - *options_->budget / kPartOnTheWay;
    call.source = source_;
    call.cancelled = [this] { return cancelled_.load(); };
    call.trace = &block->trace;
    call.answer = &block->answer;
    call.done = [this, block = block.get()](const absl::Status& status) { Answer(block, status); };
    return Kind::Start(context_, options_->block, block->request.frames(), std::move(call), &block->response);
  }

  // The block's answer stands; it goes out when those before it have.
  void Answer(Block* block, const absl::Status& status) {
    context_.metrics->CountStreamBlock(Kind::kRpc, status.code());
    if (!status.ok()) {
      CountFailed(block->trace, Kind::kRpc, status, context_.metrics.get());
      typename Kind::Response().Swap(&block->response);  // what there was of an answer, and its room
      block->answer = {};
    } else {
      LogIfSlow(block->trace, Kind::kRpc, options_->block.experiment, this->call_id(), context_.slow_log.get());
    }
    *block->response.mutable_status() = ToProto(status);
    if (!status.ok()) AddCallId(this->call_id(), block->response.mutable_status());
    block->response.set_sequence(block->request.sequence());
    typename Kind::Request().Swap(&block->request);  // its frames would stay for as long as the answer is not taken
    std::unique_lock<std::mutex> lock(mutex_);
    if (!status.ok()) pending_bytes_ -= std::exchange(block->answer_bytes, 0);
    block->ready = true;
    Advance(std::move(lock));
  }

  // With mutex_ held.
  void PopFront() {
    pending_bytes_ -= pending_.front()->answer_bytes;
    pending_.pop_front();
  }

  // With mutex_ held.
  void SetCancelled() {
    cancelled_ = true;
    if (!end_) end_ = grpc::Status::CANCELLED;
  }

  // Starts whatever is due now.
  void Advance(std::unique_lock<std::mutex> lock) {
    if (finished_) return;
    while (cancelled_ && !writing_ && !pending_.empty() && pending_.front()->ready) PopFront();
    Block* write = nullptr;
    std::shared_ptr<telemetry::Metrics> metrics;  // both are used when block and stream may be gone
    BlockTrace trace;
    if (!writing_ && !pending_.empty() && pending_.front()->ready) {
      write = pending_.front().get();
      writing_ = true;
      if (write->response.status().code() == 0) {
        metrics = context_.metrics;
        trace = write->trace;
      }
    }
    const bool read =
        !end_ && !reading_ && !taking_ && pending_.size() < kMostPending && pending_bytes_ < kMostPendingBytes;
    if (read) reading_ = true;
    const bool finish = end_ && pending_.empty() && !taking_;
    if (finish) finished_ = true;
    lock.unlock();
    if (write != nullptr) this->StartWrite(&write->response);
    if (metrics != nullptr) CountAnswered(trace, Kind::kRpc, metrics.get());
    if (read) Read();
    if (finish) this->Finish(*end_);
  }

  const Context& context_;
  StreamSet* const streams_;
  const uint64_t source_;
  std::optional<StreamOptions> options_;  // set by the first message, constant afterwards
  std::shared_ptr<Block> incoming_;       // belongs to the read that is under way

  std::mutex mutex_;
  std::deque<std::shared_ptr<Block>> pending_;  // guarded by mutex_
  int64_t pending_bytes_ = 0;                   // of their answers; guarded by mutex_
  bool reading_ = true;                         // guarded by mutex_
  bool taking_ = false;                         // guarded by mutex_: a message was read and is being looked at
  bool writing_ = false;                        // guarded by mutex_
  bool finished_ = false;                       // guarded by mutex_
  std::optional<grpc::Status> end_;             // guarded by mutex_: how the stream will end
  std::atomic<bool> cancelled_{false};
};

}  // namespace kith::rpc
