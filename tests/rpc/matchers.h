// What the tests say of errors.
#pragma once

#include <gmock/gmock.h>

#include "absl/status/status.h"
#include "server/base/status.h"

namespace kith::rpc {

// An absl::Status of this reason, with the code that goes with it, whose message has `text` in it.
MATCHER_P2(IsError, reason, text, "") {
  *result_listener << arg.ToString() << " with reason " << ReasonOf(arg);
  return ReasonOf(arg) == ReasonName(reason) && arg.code() == Error(reason, "").code() &&
         std::string(arg.message()).find(text) != std::string::npos;
}

}  // namespace kith::rpc
