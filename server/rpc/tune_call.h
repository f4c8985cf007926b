// One Tune call: the progress of a tuning that ends with it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <vector>

#include "kith/v1/experiments.pb.h"
#include "server/experiments/tuner.h"
#include "server/rpc/progress_writer.h"
#include "server/rpc/stream_set.h"

namespace kith::rpc {

// Deletes itself when the call is over.
class TuneCall : public ProgressWriter<grpc::ServerWriteReactor<v1::TuneResponse>, v1::TuneResponse>, public Drainable {
 public:
  // `open` has to outlive the call; `request` stays as long as it.
  TuneCall(const Context& context, CallGate::Pass pass, StreamSet* open, const v1::TuneRequest* request);

  void OnDone() override;
  void Drain() override;

 private:
  class Observer;

  // Runs in the pool.
  absl::Status Start();
  void EndWith(const absl::StatusOr<std::vector<retrieval::TuneCandidate>>& result);

  StreamSet* const open_;
  const v1::TuneRequest& request_;
  const std::shared_ptr<Observer> observer_;
  bool entered_ = false;                                // in open_
  std::unique_ptr<experiments::Trainer::Place> place_;  // the tuning's, from Start on
};

}  // namespace kith::rpc
