#include "client/cpp/pump_lane.h"

#include <optional>
#include <unordered_map>
#include <utility>

#include "client/cpp/call.h"
#include "client/cpp/pump_rpc.h"
#include "grpcpp/support/async_stream.h"
#include "grpcpp/support/async_unary_call.h"

namespace kith::client {
namespace {

struct Waiting {
  int64_t sequence;
  FramesView frames;
};

// Each block is a call of its own.
template <typename Rpc>
class UnaryLane final : public PumpLane {
 public:
  UnaryLane(PumpShared& shared, std::shared_ptr<Connection> connection, int number, const LaneOptions& options,
            absl::Duration timeout)
      : shared_(shared), connection_(std::move(connection)), number_(number), timeout_(timeout) {
    request_.set_experiment(options.experiment);
    Rpc::SetParams(options.params, &request_);
  }

  void Send(int64_t sequence, FramesView frames) override {
    waiting_.push_back({sequence, frames});
    BeginNext();
  }

  void Done(PumpTag* tag, bool /*ok*/) override {
    const auto found = calls_.find(tag);
    const Call& call = *found->second;
    absl::Status status = FromGrpc(call.status, connection_->target());
    if (status.ok() && !Rpc::Answers(call.response, call.rows, call.dimension)) status = WrongShape();
    shared_.answers.push_back({number_, call.sequence, std::move(status)});
    calls_.erase(found);
    BeginNext();
  }

  void Cancel() override {
    waiting_.clear();
    for (const auto& [tag, call] : calls_) call->context.grpc()->TryCancel();
  }

 private:
  // What a server that does not answer may hold of one lane; the rest waits here, where it takes no memory.
  static constexpr size_t kMostUnderWay = 64;

  struct Call {
    Call(const Connection& connection, const std::string& experiment, absl::Time deadline)
        : context(connection, experiment, deadline, nullptr) {}

    CallContext context;
    PumpTag tag;
    int64_t sequence = 0;
    int64_t rows = 0;
    int dimension = 0;
    typename Rpc::Response response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReaderInterface<typename Rpc::Response>> reader;
  };

  void BeginNext() {
    while (!waiting_.empty() && calls_.size() < kMostUnderWay) {
      const Waiting next = waiting_.front();
      waiting_.pop_front();
      ToProto(next.frames, request_.mutable_frames());
      auto call = std::make_unique<Call>(*connection_, request_.experiment(), absl::Now() + timeout_);
      call->tag.lane = this;
      call->sequence = next.sequence;
      call->rows = next.frames.rows();
      call->dimension = next.frames.dimension;
      call->reader = Rpc::Call(connection_->retrieval(), call->context.grpc(), request_, &shared_.queue);
      call->reader->StartCall();
      call->reader->Finish(&call->response, &call->status, &call->tag);
      calls_.emplace(&call->tag, std::move(call));
    }
  }

  PumpShared& shared_;
  const std::shared_ptr<Connection> connection_;
  const int number_;
  const absl::Duration timeout_;
  typename Rpc::Request request_;  // kept for its buffers
  std::deque<Waiting> waiting_;
  std::unordered_map<PumpTag*, std::unique_ptr<Call>> calls_;
};

// All blocks go through one stream, which is opened again by the next block after it ended.
template <typename Rpc>
class StreamLane final : public PumpLane {
 public:
  StreamLane(PumpShared& shared, std::shared_ptr<Connection> connection, int number, const LaneOptions& options)
      : shared_(shared), connection_(std::move(connection)), number_(number) {
    open_.set_experiment(options.experiment);
    Rpc::SetParams(options.params, &open_);
    if (options.budget) open_.set_budget_ms(static_cast<int>(absl::ToInt64Milliseconds(*options.budget)));
    for (const int operation : {kStart, kWrite, kRead, kFinish}) tags_[operation] = {this, operation};
  }

  void Send(int64_t sequence, FramesView frames) override {
    waiting_.push_back({sequence, frames});
    if (stream_ == nullptr) {
      Start();
    } else {
      WriteNext();
    }
  }

  void Done(PumpTag* tag, bool ok) override {
    --running_;
    switch (tag->operation) {
      case kStart:
        started_ = ok;
        if (ok) {
          WriteNext();
          Begin(kRead);
        } else {
          Begin(kFinish);
        }
        break;
      case kWrite:
        writing_ = false;
        if (ok) {
          WriteNext();
        } else {
          started_ = false;  // the read fails as well and finishes the stream
        }
        break;
      case kRead:
        if (ok) TakeAnswer();
        started_ = started_ && ok;
        Begin(ok ? kRead : kFinish);
        break;
      default:
        finished_ = true;
    }
    if (finished_ && running_ == 0) Close();
  }

  void Cancel() override {
    cancelled_ = true;
    if (stream_ != nullptr) context_->grpc()->TryCancel();
  }

 private:
  enum Operation { kStart, kWrite, kRead, kFinish, kOperations };

  void Start() {
    context_.emplace(*connection_, open_.experiment(), absl::InfiniteFuture(), nullptr);
    stream_ = Rpc::Stream(connection_->retrieval(), context_->grpc(), &shared_.queue);
    finished_ = false;
    opened_ = false;
    Begin(kStart);
  }

  void Begin(Operation operation) {
    if (cancelled_) return;  // the queue takes nothing any more
    ++running_;
    PumpTag* tag = &tags_[operation];
    if (operation == kStart) stream_->StartCall(tag);
    if (operation == kRead) stream_->Read(&response_, tag);
    if (operation == kFinish) stream_->Finish(&status_, tag);
    if (operation == kWrite) stream_->Write(request_, tag);
  }

  void WriteNext() {
    if (!started_ || writing_ || waiting_.empty()) return;
    const Waiting next = waiting_.front();
    waiting_.pop_front();
    if (!opened_) *request_.mutable_open() = open_;
    request_.set_sequence(next.sequence);
    ToProto(next.frames, request_.mutable_frames());
    writing_ = true;
    unanswered_.push_back({next.sequence, next.frames});
    Begin(kWrite);
    request_.clear_open();
    opened_ = true;
  }

  void TakeAnswer() {
    if (unanswered_.empty()) return;  // of a server that answers what nobody asked
    const Waiting asked = unanswered_.front();
    unanswered_.pop_front();
    absl::Status status = FromRpcStatus(response_.status());
    if (status.ok() && (response_.sequence() != asked.sequence ||
                        !Rpc::Answers(response_, asked.frames.rows(), asked.frames.dimension))) {
      status = WrongShape();
    }
    shared_.answers.push_back({number_, asked.sequence, std::move(status)});
  }

  // Nothing runs any more: what is unanswered has failed with the stream.
  void Close() {
    absl::Status status = FromGrpc(status_, connection_->target());
    if (status.ok()) status = absl::UnavailableError("the server ended the stream");
    unanswered_.insert(unanswered_.end(), waiting_.begin(), waiting_.end());
    waiting_.clear();
    for (const Waiting& block : unanswered_) shared_.answers.push_back({number_, block.sequence, status});
    unanswered_.clear();
    stream_ = nullptr;
    context_.reset();
    started_ = false;
    writing_ = false;
  }

  PumpShared& shared_;
  const std::shared_ptr<Connection> connection_;
  const int number_;
  v1::StreamOpen open_;
  PumpTag tags_[kOperations];

  std::optional<CallContext> context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriterInterface<typename Rpc::StreamRequest, typename Rpc::StreamResponse>>
      stream_;
  typename Rpc::StreamRequest request_;
  typename Rpc::StreamResponse response_;
  grpc::Status status_;
  std::deque<Waiting> waiting_;     // not yet written
  std::deque<Waiting> unanswered_;  // written
  int running_ = 0;                 // operations
  bool started_ = false;
  bool opened_ = false;
  bool writing_ = false;
  bool finished_ = false;
  bool cancelled_ = false;
};

template <typename Rpc>
std::unique_ptr<PumpLane> Make(PumpShared& shared, std::shared_ptr<Connection> connection, int number,
                               const LaneOptions& options, absl::Duration timeout) {
  if (options.unary) {
    return std::make_unique<UnaryLane<Rpc>>(shared, std::move(connection), number, options, timeout);
  }
  return std::make_unique<StreamLane<Rpc>>(shared, std::move(connection), number, options);
}

}  // namespace

std::unique_ptr<PumpLane> MakeLane(PumpShared& shared, std::shared_ptr<Connection> connection, int number,
                                   const LaneOptions& options, absl::Duration unary_timeout) {
  return options.search ? Make<SearchRpc>(shared, std::move(connection), number, options, unary_timeout)
                        : Make<ExpandRpc>(shared, std::move(connection), number, options, unary_timeout);
}

}  // namespace kith::client
