// A block for an experiment that may have to be loaded first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/rpc/context.h"
#include "server/rpc/operation.h"

namespace kith::rpc {

// Starts a block on a generation, as StartSearch.
using StartOn =
    std::function<absl::Status(const std::shared_ptr<const experiments::Generation>& generation, BlockCall call)>;

// Loads the experiment, then starts the block; returns at once. Its rows count among those that may wait for the
// engine: OVERLOADED where they are too many, and nothing was started. call.done is told of what went wrong: why it
// could not be loaded, or LATE at the moment when the deadline comes first.
absl::Status StartWhenLoaded(const Context& context, const std::string& experiment, int64_t rows, BlockCall call,
                             StartOn start);

}  // namespace kith::rpc
