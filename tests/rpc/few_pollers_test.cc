#include "server/rpc/few_pollers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "server/base/threads.h"
#include "server/rpc/health_service.h"
#include "tests/support/wait_until.h"

namespace kith::rpc {
namespace {

using testing::WaitUntil;

// A server without a client, that counts what its threads are sent for.
class IdleServer {
 public:
  IdleServer() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&health_);
    server_ = builder.BuildAndStart();
  }
  ~IdleServer() { server_->Shutdown(); }

  grpc::Server* get() const { return server_.get(); }
  int errands() const { return health_.checks; }

 private:
  struct CountingHealth : HealthService {
    CountingHealth() : HealthService(nullptr) {}
    grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* call,
                                    const grpc::health::v1::HealthCheckRequest* request,
                                    grpc::health::v1::HealthCheckResponse* response) override {
      ++checks;
      return HealthService::Check(call, request, response);
    }
    std::atomic<int> checks{0};
  };

  CountingHealth health_;
  std::unique_ptr<grpc::Server> server_;
};

// One that has nothing to do for a second would sleep through the next call.
TEST(FewPollersTest, OneThatPollsIsGivenSomethingToDoAgainAndAgainThoughNobodyCalls) {
  IdleServer server;
  const FewPollers pollers(server.get());
  // Fewer than all are sent to be held.
  const auto threads = static_cast<int>(ThreadsNamed("nexting_thread").size());
  WaitUntil([&] { return server.errands() > threads + 2; });
}

TEST(FewPollersTest, OneOfAProcessIsEnoughAndItsEndLetsAnotherBegin) {
  IdleServer first;
  IdleServer second;
  {
    const FewPollers pollers(first.get());
    const FewPollers idle(second.get());
    WaitUntil([&] { return first.errands() > 0; });
  }
  EXPECT_EQ(second.errands(), 0);
  const FewPollers pollers(second.get());
  WaitUntil([&] { return second.errands() > 0; });
}

}  // namespace
}  // namespace kith::rpc
