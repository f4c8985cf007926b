// One Train call: the upload, then the progress of a training that no longer depends on it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "kith/v1/retrieval.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/upload.h"

namespace kith::rpc {

// Deletes itself when the call is over.
//
// State changes happen under mutex_; the write or the end that they lead to is started after it is let go, as in
// BlockStream.
class TrainCall : public grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse> {
 public:
  TrainCall(const Context& context, CallGate::Pass pass);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  class Observer;

  // Where the call stands. A client that half-closed and one that went away look the same to a read, so the end of the
  // upload is confirmed to the client first: only one that is still there can be sent something.
  enum class Stage { kUploading, kConfirming, kConfirmationSent, kStarted };

  void Read();

  // These run in the pool, one at a time, while busy_.
  absl::Status Take();
  absl::Status Open();
  absl::Status CheckUpload();
  absl::Status StartTraining();
  absl::Status FindEarlierResult(const std::optional<storage::Request>& request, bool* found);

  std::optional<storage::Request> Request() const;

  // Replaces a progress message that still waits: only the latest matters.
  void Send(v1::Phase phase, int64_t done, int64_t total);
  void EndWith(const absl::StatusOr<experiments::Description>& result);
  void Advance(std::unique_lock<std::mutex> lock);

  const CallGate::Pass pass_;
  const Context& context_;
  std::shared_ptr<Observer> observer_;

  v1::TrainRequest request_;
  bool opened_ = false;
  std::string request_id_;
  std::optional<retrieval::Recipe> recipe_;
  std::string recipe_bytes_;  // for the digest of the request
  Upload upload_;
  std::unique_ptr<experiments::TrainingLease> lease_;

  std::mutex mutex_;
  v1::TrainResponse writing_response_;     // belongs to the write that is under way
  std::optional<v1::TrainResponse> next_;  // guarded by mutex_
  std::optional<grpc::Status> end_;        // guarded by mutex_: how the call will end
  Stage stage_ = Stage::kUploading;        // guarded by mutex_
  bool busy_ = true;                       // guarded by mutex_: a read, or something in the pool, is under way
  bool writing_ = false;                   // guarded by mutex_
  bool finished_ = false;                  // guarded by mutex_
  bool cancelled_ = false;                 // guarded by mutex_
};

}  // namespace kith::rpc
