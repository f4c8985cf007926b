#include "server/rpc/health_service.h"

#include <utility>

#include "server/base/status.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/caller.h"
#include "server/rpc/status.h"

namespace kith::rpc {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

namespace {

// Answers at once. Deletes itself when the call is over.
using EndedCall = RefusedCall<grpc::ServerUnaryReactor>;

}  // namespace

// Writes the latest status, then those after it. Deletes itself when the call is over.
class HealthService::Watcher : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  // `known`: of a service that there is.
  Watcher(HealthService* service, bool known) : service_(service) {
    known ? service_->Enter(this) : Tell(HealthCheckResponse::SERVICE_UNKNOWN);
  }

  void Tell(Status status) {
    std::unique_lock<std::mutex> lock(mutex_);
    next_ = status;
    has_next_ = true;
    Advance(std::move(lock));
  }

  void OnWriteDone(bool ok) override {
    std::unique_lock<std::mutex> lock(mutex_);
    writing_ = false;
    if (!ok) cancelled_ = true;
    Advance(std::move(lock));
  }
  void OnCancel() override {
    std::unique_lock<std::mutex> lock(mutex_);
    cancelled_ = true;
    Advance(std::move(lock));
  }
  void OnDone() override {
    service_->Leave(this);
    delete this;
  }

 private:
  // Starts what is due, with the mutex let go: this object may be gone once the end is started.
  void Advance(std::unique_lock<std::mutex> lock) {
    if (writing_ || finished_) return;
    if (cancelled_) {
      finished_ = true;
      lock.unlock();
      return Finish(grpc::Status::CANCELLED);
    }
    if (!has_next_) return;
    has_next_ = false;
    writing_ = true;
    response_.set_status(next_);
    lock.unlock();
    StartWrite(&response_);
  }

  HealthService* const service_;
  HealthCheckResponse response_;  // belongs to the write that is under way
  std::mutex mutex_;
  Status next_ = HealthCheckResponse::UNKNOWN;  // guarded by mutex_
  bool has_next_ = false;                       // guarded by mutex_
  bool writing_ = false;                        // guarded by mutex_
  bool cancelled_ = false;                      // guarded by mutex_
  bool finished_ = false;                       // guarded by mutex_
};

void HealthService::SetServing(bool serving) {
  const std::lock_guard<std::mutex> lock(mutex_);
  status_ = serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  // One that ends now waits in Leave until we are through, so none goes away under our hands.
  for (Watcher* watcher : watchers_) watcher->Tell(status_);
}

void HealthService::Enter(Watcher* watcher) {
  const std::lock_guard<std::mutex> lock(mutex_);
  watchers_.insert(watcher);
  watcher->Tell(status_);
}

void HealthService::Leave(Watcher* watcher) {
  const std::lock_guard<std::mutex> lock(mutex_);
  watchers_.erase(watcher);
  --watching_;
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* call, const HealthCheckRequest* request,
                                               HealthCheckResponse* response) {
  if (absl::Status status = CheckToken(*call, tokens_); !status.ok()) return new EndedCall(ToGrpc(status));
  if (!request->service().empty()) return new EndedCall(grpc::Status(grpc::NOT_FOUND, "service name unknown"));
  const std::lock_guard<std::mutex> lock(mutex_);
  response->set_status(status_);
  return new EndedCall(grpc::Status::OK);
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(grpc::CallbackServerContext* call,
                                                                    const HealthCheckRequest* request) {
  if (absl::Status status = CheckToken(*call, tokens_); !status.ok()) {
    return new RefusedCall<grpc::ServerWriteReactor<HealthCheckResponse>>(ToGrpc(status));
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (watching_ >= kMostWatchers) {
      return new RefusedCall<grpc::ServerWriteReactor<HealthCheckResponse>>(ToGrpc(
          Error(Reason::kOverloaded, "too many watch the health of this server; ask for it by Check, or try later")));
    }
    ++watching_;
  }
  return new Watcher(this, request->service().empty());
}

}  // namespace kith::rpc
