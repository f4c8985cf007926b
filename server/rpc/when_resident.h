// A block for an experiment that may have to be loaded first.
#pragma once

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

// Loads the experiment, then starts the block; returns at once. call.done is told of what went wrong: why it could not
// be loaded, or LATE at the moment when the deadline comes first.
void StartWhenLoaded(const Context& context, const std::string& experiment, BlockCall call, StartOn start);

}  // namespace kith::rpc
