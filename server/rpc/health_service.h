// grpc.health.v1.Health. gRPC's own answers everybody; this one asks for a token where the configuration says so.
#pragma once

#include <grpcpp/grpcpp.h>

#include <mutex>
#include <unordered_set>

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/auth/tokens.h"

namespace kith::rpc {

// Knows the server as a whole only (the empty name). Thread-safe.
class HealthService : public grpc::health::v1::Health::CallbackService {
 public:
  // `tokens`: any of them lets in; null lets everybody in. They outlive this.
  explicit HealthService(const auth::Tokens* tokens) : tokens_(tokens) {}

  // NOT_SERVING at first. Whoever watches is told.
  void SetServing(bool serving);

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* call,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* call, const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  class Watcher;
  // Whoever can reach the server may watch, so there is an end to it.
  static constexpr int kMostWatchers = 1024;
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // Tells the watcher the status, now and whenever it changes, until it leaves.
  void Enter(Watcher* watcher);
  void Leave(Watcher* watcher);

  const auth::Tokens* const tokens_;
  std::mutex mutex_;
  Status status_ = grpc::health::v1::HealthCheckResponse::NOT_SERVING;  // guarded by mutex_
  std::unordered_set<Watcher*> watchers_;                               // guarded by mutex_
  int watching_ = 0;  // those, and those of services that there are none of; guarded by mutex_
};

}  // namespace kith::rpc
