#include "client/cpp/block_stream.h"

#include <deque>
#include <mutex>
#include <type_traits>
#include <utility>

#include "client/cpp/block_stream_impl.h"
#include "client/cpp/call.h"
#include "client/cpp/convert.h"
#include "grpcpp/support/sync_stream.h"

namespace kith {
namespace {

template <typename Result>
struct Rpc;

template <>
struct Rpc<ExpandResult> {
  using Request = v1::StreamExpandRequest;
  using Response = v1::StreamExpandResponse;
  static auto Start(v1::Retrieval::StubInterface& stub, grpc::ClientContext* context) {
    return stub.StreamExpand(context);
  }
  static absl::Status Fill(const Response& response, int64_t rows, ExpandResult* result) {
    result->passthrough_rows = response.passthrough_rows();
    result->generation = response.generation();
    return client::AppendFrames(response.frames(), rows, &result->frames);
  }
};

template <>
struct Rpc<SearchResult> {
  using Request = v1::StreamSearchRequest;
  using Response = v1::StreamSearchResponse;
  static auto Start(v1::Retrieval::StubInterface& stub, grpc::ClientContext* context) {
    return stub.StreamSearch(context);
  }
  static absl::Status Fill(const Response& response, int64_t rows, SearchResult* result) {
    return client::AppendSearch(response, rows, result);
  }
};

}  // namespace

template <typename Result>
class BlockStream<Result>::Impl {
 public:
  Impl(std::shared_ptr<client::Connection> connection, std::string_view experiment, absl::Time deadline,
       Cancellation* cancellation)
      : connection_(std::move(connection)),
        context_(*connection_, experiment, deadline, cancellation),
        stream_(Rpc<Result>::Start(connection_->retrieval(), context_.grpc())) {}

  ~Impl() {
    if (finished_) return;
    TryCancel();
    while (stream_->Read(&response_)) {
    }
    (void)Finish();
  }

  bool Open(const v1::StreamOpen& open) {
    *request_.mutable_open() = open;
    const bool sent = stream_->Write(request_);
    request_.clear_open();
    return sent;
  }

  absl::Status Write(int64_t sequence, FramesView frames) {
    if (absl::Status status = client::CheckShape(frames); !status.ok()) return status;
    request_.set_sequence(sequence);
    client::ToProto(frames, request_.mutable_frames());
    {
      std::lock_guard lock(mutex_);
      unanswered_rows_.push_back(frames.rows());
    }
    if (!stream_->Write(request_)) return absl::UnavailableError("the stream is over; Read says why");
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<Block<Result>>> Read() {
    if (!stream_->Read(&response_)) {
      absl::Status status = Finish();
      if (!status.ok()) return status;
      return std::optional<Block<Result>>();
    }
    Block<Result> block;
    block.sequence = response_.sequence();
    block.status = client::FromRpcStatus(response_.status());
    const int64_t rows = NextUnansweredRows();
    if (block.status.ok()) block.status = Rpc<Result>::Fill(response_, rows, &block.result);
    return std::optional<Block<Result>>(std::move(block));
  }

  void Close() { stream_->WritesDone(); }
  void TryCancel() { context_.grpc()->TryCancel(); }

 private:
  // Answers come in the order of the blocks.
  int64_t NextUnansweredRows() {
    std::lock_guard lock(mutex_);
    if (unanswered_rows_.empty()) return 0;
    const int64_t rows = unanswered_rows_.front();
    unanswered_rows_.pop_front();
    return rows;
  }

  absl::Status Finish() {
    if (!finished_) finished_ = client::FromGrpc(stream_->Finish(), connection_->target());
    return *finished_;
  }

  const std::shared_ptr<client::Connection> connection_;
  client::CallContext context_;
  const std::unique_ptr<
      grpc::ClientReaderWriterInterface<typename Rpc<Result>::Request, typename Rpc<Result>::Response>>
      stream_;

  typename Rpc<Result>::Request request_;    // of the writer; kept for its buffers
  typename Rpc<Result>::Response response_;  // of the reader
  std::optional<absl::Status> finished_;     // of the reader

  std::mutex mutex_;
  std::deque<int64_t> unanswered_rows_;  // guarded by mutex_
};

template <typename Result>
BlockStream<Result>::BlockStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
template <typename Result>
BlockStream<Result>::~BlockStream() = default;
template <typename Result>
absl::Status BlockStream<Result>::Write(int64_t sequence, FramesView frames) {
  return impl_->Write(sequence, frames);
}
template <typename Result>
absl::StatusOr<std::optional<Block<Result>>> BlockStream<Result>::Read() {
  return impl_->Read();
}
template <typename Result>
void BlockStream<Result>::Close() {
  impl_->Close();
}
template <typename Result>
void BlockStream<Result>::TryCancel() {
  impl_->TryCancel();
}

template class BlockStream<ExpandResult>;
template class BlockStream<SearchResult>;

namespace client {

template <typename Result>
absl::StatusOr<std::unique_ptr<BlockStream<Result>>> OpenStream(std::shared_ptr<Connection> connection,
                                                                const v1::StreamOpen& open, const CallOptions& call) {
  const absl::Time deadline = DeadlineOf(call);
  if (absl::Status ready = connection->WaitUntilReady(deadline, call.cancellation); !ready.ok()) return ready;
  auto impl =
      std::make_unique<typename BlockStream<Result>::Impl>(connection, open.experiment(), deadline, call.cancellation);
  if (!impl->Open(open)) {
    const auto end = impl->Read();
    return end.ok() ? absl::UnavailableError("the server closed the stream at once") : end.status();
  }
  return std::make_unique<BlockStream<Result>>(std::move(impl));
}

template absl::StatusOr<std::unique_ptr<ExpandStream>> OpenStream<ExpandResult>(std::shared_ptr<Connection>,
                                                                                const v1::StreamOpen&,
                                                                                const CallOptions&);
template absl::StatusOr<std::unique_ptr<SearchStream>> OpenStream<SearchResult>(std::shared_ptr<Connection>,
                                                                                const v1::StreamOpen&,
                                                                                const CallOptions&);

}  // namespace client
}  // namespace kith
