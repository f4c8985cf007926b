#include "server/rpc/few_pollers.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <string_view>

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/base/clock.h"
#include "server/base/cores.h"
#include "server/base/memory.h"
#include "server/base/threads.h"

namespace kith::rpc {
namespace {

using grpc::health::v1::Health;
using std::chrono::milliseconds;

// gRPC 1.51's name for a thread that polls.
constexpr std::string_view kPollerName = "nexting_thread";
constexpr milliseconds kToGetTheirNames(1000);

constexpr milliseconds kLook(10);
constexpr milliseconds kLookAtIdle(50);  // a wake-up takes time too
constexpr int kLooksWithoutRest = 2;     // until those that are held are let go
constexpr milliseconds kHelp(1000);      // for so long

// After a second without an event gRPC 1.51 has such a thread sleep for a tenth of a second, whatever comes.
constexpr milliseconds kBeforeItSleeps(400);

constexpr int64_t kMuchMemory = int64_t{128} << 20;

std::atomic<bool> taken{false};

// By what one can receive and send, about the searches of eight cores.
size_t EnoughPollers() { return std::max(1, UsableCores() / 8); }

// None where they are not as gRPC 1.51's are, which another version need not have at all.
std::vector<pid_t> Pollers() {
  const auto expected = std::clamp<size_t>(sysconf(_SC_NPROCESSORS_CONF) / 2, 2, 16);
  const TimePoint patience = Clock::now() + kToGetTheirNames;
  while (true) {  // each gives itself its name once it runs
    std::vector<pid_t> pollers = ThreadsNamed(kPollerName);
    if (pollers.size() == expected) return pollers;
    if (Clock::now() > patience) return {};
    std::this_thread::yield();
  }
}

// Where there is one core, a worker is not to be put aside for a poller at each answer that it gives.
void LetOthersFinish(const std::vector<pid_t>& pollers) {
  for (const pid_t poller : pollers) {
    const sched_param priority{};
    sched_setscheduler(poller, SCHED_BATCH, &priority);  // nothing is lost where it may not
  }
}

struct Look {
  Clock::duration processor_time{};
  ThreadRest rest;
};

// Since the last look, which this one replaces. Takes `idle` back where the thread had something to do.
bool HasHadNoRest(pid_t thread, Look* last, bool* idle) {
  Look now{ProcessorTimeOf(thread), {}};
  if (now.processor_time - last->processor_time > kLook / 4) {
    now.rest = RestOf(thread);
    *idle = false;
  }
  const bool none = now.rest.running && last->rest.running && now.rest.sleeps == last->rest.sleeps;
  *last = now;
  return none;
}

// What a flood has left, which the allocator would keep. `least`: what the process had at least since this last gave
// something back.
void ReturnMemory(int64_t* least) {
  if (ResidentMemory() > *least + kMuchMemory) {
    ReturnFreedMemory();
    *least = ResidentMemory();
  }
  *least = std::min(*least, ResidentMemory());
}

struct Call {
  explicit Call(const std::shared_ptr<grpc::Channel>& channel) : health(Health::NewStub(channel)) {}

  const std::unique_ptr<Health::Stub> health;
  grpc::ClientContext context;
  const grpc::health::v1::HealthCheckRequest request;
  grpc::health::v1::HealthCheckResponse response;
};

}  // namespace

FewPollers::FewPollers(grpc::Server* server)
    : alone_(!taken.exchange(true)),
      channel_(server->InProcessChannel({})),
      pollers_(alone_ ? Pollers() : std::vector<pid_t>()) {
  if (pollers_.size() <= EnoughPollers()) return;
  if (UsableCores() == 1) LetOthersFinish(pollers_);
  watch_ = std::thread([this] { Watch(); });
}

FewPollers::~FewPollers() {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    stopping_ = true;
    LetGo();
    changed_.wait(lock, [this] { return sent_ == 0; });
  }
  if (watch_.joinable()) watch_.join();
  if (alone_) taken = false;
}

void FewPollers::Watch() {
  int64_t memory = ResidentMemory();
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    HoldMost();
    WaitUntilBusy(lock, &memory);
    LetGo();
    changed_.wait_for(lock, kHelp, [this] { return stopping_; });
  }
}

void FewPollers::WaitUntilBusy(std::unique_lock<std::mutex>& lock, int64_t* memory) {
  std::map<pid_t, Look> before;
  int without_rest = 0;
  bool idle = true;
  TimePoint errand_due = Clock::now() + kBeforeItSleeps;
  while (without_rest < kLooksWithoutRest &&
         !changed_.wait_for(lock, idle ? kLookAtIdle : kLook, [this] { return stopping_; })) {
    idle = true;
    const bool busy = std::all_of(pollers_.begin(), pollers_.end(), [&](pid_t poller) {
      return held_.count(poller) > 0 || HasHadNoRest(poller, &before[poller], &idle);
    });
    without_rest = busy ? without_rest + 1 : 0;
    if (Clock::now() < errand_due) continue;
    SendOne(Errand::kNone);
    if (idle) ReturnMemory(memory);
    errand_due = Clock::now() + kBeforeItSleeps;
  }
}

void FewPollers::HoldMost() {
  if (stopping_) return;
  for (size_t more = pollers_.size() - EnoughPollers(); more > 0; --more) SendOne(Errand::kBeHeld);
}

void FewPollers::LetGo() {
  ++round_;
  changed_.notify_all();
}

void FewPollers::SendOne(Errand errand) {
  ++sent_;
  auto call = std::make_shared<Call>(channel_);
  Call* const made = call.get();
  auto back = [this, call = std::move(call), errand, round = round_](const grpc::Status&) mutable {
    call.reset();  // with its share of the channel: the last is not to be let go by one of these threads
    std::unique_lock<std::mutex> lock(mutex_);
    if (errand == Errand::kBeHeld) {
      held_.insert(gettid());
      changed_.wait(lock, [&] { return round_ != round; });
      held_.erase(gettid());
    }
    --sent_;
    changed_.notify_all();
  };
  made->health->async()->Check(&made->context, &made->request, &made->response, std::move(back));
}

}  // namespace kith::rpc
