#include "server/rpc/answer_room.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/status.h"

namespace kith::rpc {
namespace {

constexpr absl::Duration kRetryDelay = absl::Milliseconds(100);

}  // namespace

absl::StatusOr<AnswerRoom::Part> AnswerRoom::Take(int64_t bytes) {
  int64_t before = used_.load();
  while (before == 0 || before + bytes <= bytes_) {
    if (used_.compare_exchange_weak(before, before + bytes)) return Part(this, bytes);
  }
  return WithRetryDelay(
      Error(Reason::kOverloaded,
            absl::StrCat("the server is busy: answers of ", before,
                         " bytes are being made or wait for their clients to take them, and this one's ", bytes,
                         " would make more than there may be (limits.answer_bytes); take yours, or try again later")),
      kRetryDelay);
}

}  // namespace kith::rpc
