// A call that streams its answers: how each is taken, and how the call ends.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/call.h"

namespace kith::client {

// open(context) -> a reader; take(response) -> absl::Status, whose error ends the call and is the call's.
template <typename Response, typename Open, typename Take>
absl::Status Download(Connection& connection, std::string_view experiment, const CallOptions& call, Open open,
                      Take take) {
  const absl::Time deadline = DeadlineOf(call);
  if (absl::Status ready = connection.WaitUntilReady(deadline, call.cancellation); !ready.ok()) return ready;
  CallContext context(connection, experiment, deadline, call.cancellation);
  const auto stream = open(context.grpc());
  absl::Status taken;
  Response response;
  while (taken.ok() && stream->Read(&response)) taken = take(response);
  if (!taken.ok()) {
    context.grpc()->TryCancel();
    while (stream->Read(&response)) {
    }
  }
  const absl::Status ended = FromGrpc(stream->Finish(), connection.target());
  return taken.ok() ? ended : taken;
}

// What is wrong with a download that is not of the length that was told.
inline absl::Status CutShort(int64_t got, int64_t expected, const char* unit) {
  return absl::InternalError(absl::StrCat("the server sent ", got, " ", unit, " instead of ", expected));
}

}  // namespace kith::client
