// What train and import print of what they built.
#pragma once

#include <string>
#include <string_view>

#include "client/cli/context.h"
#include "client/cpp/types.h"

namespace kith::cli {

// null for what a detached training does not know yet.
Json BuiltJson(const Experiment& built, double seconds);

// verb: "trained" or "imported".
std::string BuiltText(std::string_view verb, const Experiment& built, double seconds);

}  // namespace kith::cli
