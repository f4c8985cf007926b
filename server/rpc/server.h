// The gRPC server: both services, health and reflection.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/rpc/answer_room.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/connections.h"
#include "server/rpc/context.h"
#include "server/rpc/experiments_service.h"
#include "server/rpc/few_pollers.h"
#include "server/rpc/health_service.h"
#include "server/rpc/reflection_service.h"
#include "server/rpc/retrieval_service.h"
#include "server/rpc/security.h"

namespace kith::rpc {

class Server {
 public:
  // Serves on `listen` (HOST:PORT; port 0 takes a free one). UNAVAILABLE where that cannot be had. What `context`
  // points to has to outlive the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Context& context, const std::string& listen,
                                                       const Security& security = {});

  // As Drain, without patience.
  ~Server();

  // HOST:PORT with the port that was taken.
  const std::string& address() const { return address_; }

  // Whether gRPC's threads answer a health check of this process's own within `time`, whatever they say. Not to be
  // called while or after it drains.
  bool Answers(std::chrono::milliseconds time) const;

  // CallGate's, which were those of the context's limits.
  void SetRates(const config::Limits& limits) { gate_.SetRates(limits); }

  // Health goes NOT_SERVING and is answered to the end; other new calls are refused with SHUTTING_DOWN. Trainings are
  // cancelled, and calls that watch one end with it; tunings end at once, open streams after the blocks they have;
  // other calls finish. What is left after `patience`, and whoever watches the health, is cancelled. Returns when no
  // call is left.
  void Drain(std::chrono::milliseconds patience);

 private:
  Server(const Context& context, const Security& security);

  Context WithAnswers(Context context) {
    context.answers = &answers_;
    return context;
  }

  experiments::Registry* const registry_;
  experiments::Trainer* const trainer_;
  CallGate gate_;
  AnswerRoom answers_;
  RetrievalService retrieval_;
  ExperimentsService experiments_;
  HealthService health_;
  ReflectionService reflection_;
  const std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<Connections> connections_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<FewPollers> pollers_;
  std::string address_;
};

}  // namespace kith::rpc
