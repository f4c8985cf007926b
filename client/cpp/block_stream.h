// Blocks of frames over one open stream: what a real-time client uses.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/types.h"

namespace kith {

// The answer to one block.
template <typename Result>
struct Block {
  int64_t sequence = 0;
  absl::Status status;  // of this block alone; DEADLINE_EXCEEDED with reason LATE: its budget was over
  Result result;        // with an OK status
};

// An open StreamExpand or StreamSearch. One thread may write while another reads; TryCancel and Close may come from the
// writer or any other thread that does not write at the same time (TryCancel: from any thread at any time).
template <typename Result>
class BlockStream {
 public:
  class Impl;
  explicit BlockStream(std::unique_ptr<Impl> impl);
  ~BlockStream();  // cancels what still runs
  BlockStream(const BlockStream&) = delete;
  BlockStream& operator=(const BlockStream&) = delete;

  // Sends a block. `sequence` is the caller's own number, given back with the answer. Blocks while the server takes
  // nothing more. UNAVAILABLE: the stream is over, and Read says why.
  absl::Status Write(int64_t sequence, FramesView frames);

  // The next answer, in the order of the blocks; blocks until it is there. Nothing: the stream ended in order, after
  // Close. An error: the stream is over.
  absl::StatusOr<std::optional<Block<Result>>> Read();

  // No more blocks will be written; those sent are still answered.
  void Close();

  // Ends the stream at once; Read and Write return.
  void TryCancel();

 private:
  std::unique_ptr<Impl> impl_;
};

using ExpandStream = BlockStream<ExpandResult>;
using SearchStream = BlockStream<SearchResult>;

}  // namespace kith
