// The four calls that a lane can make, as one shape.
#pragma once

#include <memory>
#include <string>

#include "client/cpp/block_pump.h"
#include "client/cpp/convert.h"
#include "client/cpp/status.h"
#include "kith/v1/retrieval.grpc.pb.h"

namespace kith::client {

// Whether there is a result for each row, without looking at the numbers.
inline bool HasRows(const v1::FloatBatch& answer, int64_t rows, int dimension) {
  const auto values = static_cast<size_t>(rows) * static_cast<size_t>(dimension);
  return answer.dimension() == dimension &&
         (answer.raw().size() == values * sizeof(float) || static_cast<size_t>(answer.values_size()) == values);
}

template <typename Answer>
bool HasNeighbors(const Answer& answer, int64_t rows) {
  const int64_t size = rows * answer.k();
  return size > 0 && answer.ids_size() == size && answer.distances_size() == size;
}

struct ExpandRpc {
  using Request = v1::ExpandRequest;
  using Response = v1::ExpandResponse;
  using StreamRequest = v1::StreamExpandRequest;
  using StreamResponse = v1::StreamExpandResponse;

  static auto Call(v1::Retrieval::StubInterface& stub, grpc::ClientContext* context, const Request& request,
                   grpc::CompletionQueue* queue) {
    return stub.PrepareAsyncExpand(context, request, queue);
  }
  static auto Stream(v1::Retrieval::StubInterface& stub, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
    return stub.PrepareAsyncStreamExpand(context, queue);
  }
  static void SetParams(const ExpandParams& params, Request* request) { ToProto(params, request->mutable_params()); }
  static void SetParams(const ExpandParams& params, v1::StreamOpen* open) { ToProto(params, open->mutable_params()); }
  template <typename Answer>
  static bool Answers(const Answer& answer, int64_t rows, int dimension) {
    return HasRows(answer.frames(), rows, dimension);
  }
};

struct SearchRpc {
  using Request = v1::SearchRequest;
  using Response = v1::SearchResponse;
  using StreamRequest = v1::StreamSearchRequest;
  using StreamResponse = v1::StreamSearchResponse;

  static auto Call(v1::Retrieval::StubInterface& stub, grpc::ClientContext* context, const Request& request,
                   grpc::CompletionQueue* queue) {
    return stub.PrepareAsyncSearch(context, request, queue);
  }
  static auto Stream(v1::Retrieval::StubInterface& stub, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
    return stub.PrepareAsyncStreamSearch(context, queue);
  }
  static void SetParams(const ExpandParams& params, Request* request) {
    ToProto(params.search, request->mutable_params());
  }
  static void SetParams(const ExpandParams& params, v1::StreamOpen* open) {
    ToProto(params.search, open->mutable_params()->mutable_search());
  }
  template <typename Answer>
  static bool Answers(const Answer& answer, int64_t rows, int /*dimension*/) {
    return HasNeighbors(answer, rows);
  }
};

inline absl::Status WrongShape() { return absl::InternalError("the answer is not of the shape of the block"); }

}  // namespace kith::client
