// Plays frames from a pipe into a pipe, at the pace at which they come.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "client/cli/stream/block_schedule.h"
#include "client/cli/stream/link.h"
#include "client/cli/stream/playout.h"

namespace kith::cli {

// Writes all of it, or says why not.
absl::Status WriteFloats(int fd, absl::Span<const float> values);

struct PipeOptions {
  int in_fd = 0;
  int dimension = 0;
  std::chrono::milliseconds block_time{250};
  std::chrono::milliseconds budget{250};
  TimePoint end = TimePoint::max();  // nothing is read from then on
};

// Reads raw float32 rows and cuts them into blocks of the same sizes as BlockSchedule. A block is sent when its last
// row has come, the last and shorter one at the end of the input. A feed that is faster than real time is read only as
// fast as blocks are played: no more blocks are under way at once than in real time. Not thread-safe.
class PipePlayer {
 public:
  // `playout` and `link` must outlive the player. `cancellation` ends the reading.
  PipePlayer(const PipeOptions& options, const Cancellation& cancellation, Playout& playout, BlockLink& link);

  // Until the input ends and every block is played. An error where the input cannot be read or ends inside a row; what
  // came before is played all the same.
  absl::Status Run();

 private:
  TimePoint NextLook(TimePoint now) const;
  int64_t ReadyRows() const;
  bool HasRoom(TimePoint now) const;
  bool Readable(TimePoint now) const;
  absl::Status ReadSome();
  void SendBlock(int64_t rows);
  void SendRest();
  void PlayRest();

  const PipeOptions options_;
  const BlockSchedule schedule_;
  const Cancellation& cancellation_;
  Playout& playout_;
  BlockLink& link_;
  const size_t row_bytes_;
  const size_t most_under_way_;
  std::string input_;  // bytes not yet sent
  bool ended_ = false;
  int64_t next_ = 0;  // block
};

}  // namespace kith::cli
