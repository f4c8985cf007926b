// The one channel of a client: how it is set up, and how a server that is not there becomes an error in bounded time.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/channel.h"
#include "grpcpp/security/credentials.h"
#include "kith/v1/experiments.grpc.pb.h"
#include "kith/v1/retrieval.grpc.pb.h"

namespace kith::client {

// Thread-safe.
class Connection {
 public:
  explicit Connection(const ClientOptions& options);

  // Begins to connect without waiting for it.
  void BeginToConnect() { channel_->GetState(/*try_to_connect=*/true); }

  // Waits until the server is connected: OK, or UNAVAILABLE that says what to do, after connect_timeout at the latest
  // (or `deadline`), and as soon as an attempt has failed; CANCELLED.
  absl::Status WaitUntilReady(absl::Time deadline, const Cancellation* cancellation);

  // The same for a server that was there a moment ago and may be starting again: attempts that fail do not end it.
  absl::Status WaitUntilBack(absl::Time deadline, const Cancellation* cancellation);

  const std::string& target() const { return target_; }
  // The metadata `authorization`; empty where there is no token.
  const std::string& authorization() const { return authorization_; }
  v1::Retrieval::StubInterface& retrieval() { return *retrieval_; }
  v1::Experiments::StubInterface& experiments() { return *experiments_; }
  grpc::health::v1::Health::StubInterface& health() { return *health_; }

 private:
  Connection(const ClientOptions& options,
             const absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>& credentials);
  absl::Status Wait(absl::Time deadline, const Cancellation* cancellation, bool through_failures);
  // gRPC tells at a call only why a channel has failed.
  std::string WhyNot();

  const std::string target_;
  const bool tls_;
  const std::string authorization_;
  const absl::Status options_status_;  // what is wrong with the options
  const absl::Duration connect_timeout_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Retrieval::StubInterface> retrieval_;
  const std::unique_ptr<v1::Experiments::StubInterface> experiments_;
  const std::unique_ptr<grpc::health::v1::Health::StubInterface> health_;
};

}  // namespace kith::client
