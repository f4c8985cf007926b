// An experiment as `kith` prints it.
#pragma once

#include <optional>
#include <string>

#include "client/cli/context.h"
#include "client/cpp/types.h"

namespace kith::cli {

// The keys of `show` and `list`; times in RFC 3339, UTC, null where there are none.
Json ExperimentJson(const Experiment& experiment);

// What is done to the frames before the index is built; null for none.
Json CompressionJson(const std::optional<Compression>& compression);
Json ExpansionJson(const std::optional<Expansion>& expansion);

// Several lines of "key: value".
std::string ExperimentText(const Experiment& experiment);

// "IVF185,Flat, nlist 185, nprobe 12, recall@8 0.967": what was built and how well it finds.
std::string IndexText(const Experiment& experiment);

}  // namespace kith::cli
