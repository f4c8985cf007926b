// The way of a block to the server and back, over a stream that is opened again whenever it breaks.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "client/cli/stream/playout.h"
#include "client/cpp/client.h"

namespace kith::cli {

class BlockLink {
 public:
  virtual ~BlockLink() = default;

  // Sends a block without ever waiting. False: the server is away or takes nothing more, and no answer will come.
  virtual bool Send(int64_t sequence, SharedFrames frames) = 0;

  // Gives the stream up, which answers no more, for a new one.
  virtual void Reset() = 0;
};

struct StreamLinkOptions {
  ClientOptions client;
  std::string experiment;
  std::string request_id;  // of its streams, see CallOptions
  ExpandParams params;
  absl::Duration budget = absl::Milliseconds(250);
  size_t max_queue = 8;  // blocks not yet written: so many wait only where the server takes nothing
};

struct LinkCounts {
  int64_t reconnects = 0;   // streams that answered after an earlier one had broken
  int64_t errors = 0;       // streams that broke
  absl::Status last_error;  // of those, or why the server is not reached
  bool refused = false;     // by the server, which has answered nothing since
};

// StreamExpand over a connection of its own. One thread opens the stream and reads its answers into the playout,
// another one writes, so that a server that takes nothing holds up nobody.
class StreamLink final : public BlockLink {
 public:
  StreamLink(const StreamLinkOptions& options, Playout& playout);
  ~StreamLink() override;  // as Stop(0)

  bool Send(int64_t sequence, SharedFrames frames) override;
  void Reset() override;

  // Waits until the stream is open.
  bool WaitUntilOpen(std::chrono::milliseconds timeout) const;

  // Ends the stream in order: answers that come within `grace` are still taken. Nothing is sent afterwards.
  void Stop(std::chrono::milliseconds grace);

  LinkCounts counts() const;

 private:
  struct Outgoing {
    int64_t sequence;
    SharedFrames frames;
  };

  void Run();
  bool Serve(ExpandStream& stream);
  absl::Status ReadAnswers(ExpandStream& stream, bool* answered);
  void WriteBlocks(ExpandStream& stream);
  void NoteError(const absl::Status& status, bool broken);
  bool stopping() const;

  const StreamLinkOptions options_;
  Playout& playout_;
  Client client_;
  Cancellation cancellation_;

  mutable std::mutex mutex_;  // guards all below but the thread
  mutable std::condition_variable changed_;
  ExpandStream* stream_ = nullptr;  // while it is open
  std::deque<Outgoing> queue_;
  bool reset_ = false;  // by our own will
  bool stopping_ = false;
  bool finished_ = false;
  bool served_before_ = false;
  LinkCounts counts_;

  std::thread thread_;
};

}  // namespace kith::cli
