// One Tune call: the progress of a tuning that ends with it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kith/v1/experiments.pb.h"
#include "server/experiments/tuner.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/stream_set.h"

namespace kith::rpc {

// Deletes itself when the call is over. Locks as TrainCall does: state changes under mutex_, the write or the end that
// they lead to is started after it is let go.
class TuneCall : public grpc::ServerWriteReactor<v1::TuneResponse>, public Drainable {
 public:
  // `open` has to outlive the call; `request` stays as long as it.
  TuneCall(const Context& context, CallGate::Pass pass, StreamSet* open, const v1::TuneRequest* request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void Drain() override;

 private:
  class Observer;

  // Runs in the pool, while busy_.
  absl::Status Start();

  // Replaces a progress message that still waits: only the latest matters.
  void Send(const std::string& step, int done, int total);
  void EndWith(const absl::StatusOr<std::vector<retrieval::TuneCandidate>>& result);
  void Advance(std::unique_lock<std::mutex> lock);

  const CallGate::Pass pass_;
  const Context& context_;
  StreamSet* const open_;
  const v1::TuneRequest& request_;
  const std::shared_ptr<Observer> observer_;
  bool entered_ = false;  // in open_

  std::mutex mutex_;
  v1::TuneResponse writing_response_;     // belongs to the write that is under way
  std::optional<v1::TuneResponse> next_;  // guarded by mutex_
  std::optional<grpc::Status> end_;       // guarded by mutex_: how the call will end
  bool began_ = false;                    // guarded by mutex_: its turn has come
  bool busy_ = true;                      // guarded by mutex_: Start is under way
  bool writing_ = false;                  // guarded by mutex_
  bool finished_ = false;                 // guarded by mutex_
  bool cancelled_ = false;                // guarded by mutex_
};

}  // namespace kith::rpc
