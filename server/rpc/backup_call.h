// One Backup call.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "kith/v1/experiments.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"

namespace kith::rpc {

// Deletes itself when the call is over. The tar is made on a thread of `thread`, which waits for the client to take
// each message before it makes the next: a slow client costs the memory of one.
class BackupCall : public GatedCall<grpc::ServerWriteReactor<v1::BackupResponse>> {
 public:
  BackupCall(const Context& context, ThreadPool* thread, CallGate::Pass pass);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  absl::Status WriteAll();
  // Sends the bytes with those before them, once there are enough.
  absl::Status Take(absl::Span<const char> bytes);
  // Sends `next_`, when the message before it has been taken.
  absl::Status Send();
  absl::Status WaitUntilTaken();

  const Context& context_;
  v1::BackupResponse next_;  // being filled
  v1::BackupResponse sent_;  // under way while writing_
  std::mutex mutex_;
  std::condition_variable taken_;
  bool writing_ = false;    // guarded by mutex_
  bool cancelled_ = false;  // guarded by mutex_
};

}  // namespace kith::rpc
