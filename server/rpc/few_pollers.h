// Keeps most of gRPC's polling threads from polling, as long as those that are left get some rest.
//
// gRPC 1.51 has half as many threads as there are cores, and two at least, that call the handlers of this process. One
// of them waits for events; as it gets one, it wakes another to wait in its place. So with more than one, every block
// costs up to four wake-ups, which take longer than all else that gRPC does. One thread has enough for several cores:
// what takes long is done by others (engine/job.h, `here`). docs/performance.md has the figures.
//
// But a thread that reads a connection does so until there is nothing left to read, and calls no handlers meanwhile: a
// client that floods it has it for itself, and memory for whatever it began. So one that has not slept for some
// milliseconds gets the others' help; and where strangers can connect there should be no FewPollers.
#pragma once

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace kith::rpc {

// Those threads belong to the process: where there are several servers, only one has a FewPollers that does anything.
class FewPollers {
 public:
  // `server` runs, and serves grpc.health.v1.Health.
  explicit FewPollers(grpc::Server* server);
  // Lets the threads go. To be called before the server is shut down.
  ~FewPollers();
  FewPollers(const FewPollers&) = delete;
  FewPollers& operator=(const FewPollers&) = delete;

 private:
  void Watch();
  // Until those that poll have had no rest, or this ends; meanwhile gives back `memory` beyond what there was. With
  // mutex_ held by `lock`, as the next three.
  void WaitUntilBusy(std::unique_lock<std::mutex>& lock, int64_t* memory);
  void HoldMost();
  void LetGo();

  // One of the threads that poll, whichever it is, is to be held; or just to have something to do.
  enum class Errand { kBeHeld, kNone };
  void SendOne(Errand errand);

  const bool alone_;  // no other one of this process does anything
  const std::shared_ptr<grpc::Channel> channel_;
  const std::vector<pid_t> pollers_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // this and what follows is guarded by mutex_
  int round_ = 0;          // of holding
  int sent_ = 0;           // that are not back
  std::set<pid_t> held_;
  std::thread watch_;
};

}  // namespace kith::rpc
