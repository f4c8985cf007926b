// The gRPC server: both services, health and reflection.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/rpc/context.h"
#include "server/rpc/experiments_service.h"
#include "server/rpc/retrieval_service.h"

namespace kith::rpc {

class Server {
 public:
  // Serves on `listen` (HOST:PORT; port 0 takes a free one). UNAVAILABLE where that cannot be had. What `context`
  // points to has to outlive the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Context& context, const std::string& listen);

  // As Drain, without patience.
  ~Server();

  // HOST:PORT with the port that was taken.
  const std::string& address() const { return address_; }

  // Health goes NOT_SERVING, new calls are refused, open streams end after the blocks they have, tunings at once, other
  // calls finish; what is left after `patience` is cancelled. Returns when no call is left.
  void Drain(std::chrono::milliseconds patience);

 private:
  explicit Server(const Context& context) : retrieval_(context), experiments_(context) {}

  RetrievalService retrieval_;
  ExperimentsService experiments_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace kith::rpc
