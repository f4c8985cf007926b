// An experiment as `kith` prints it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/cli/context.h"
#include "client/cpp/types.h"

namespace kith::cli {

// The keys of `show` and `list`; times in RFC 3339, UTC, null where there are none.
Json ExperimentJson(const Experiment& experiment);

// A time in RFC 3339, UTC; null where there is none.
std::string TimeText(absl::Time time);
Json TimeJson(absl::Time time);

// What is done to the frames before the index is built; null for none.
Json CompressionJson(const std::optional<Compression>& compression);
Json ExpansionJson(const std::optional<Expansion>& expansion);

// Several lines of "key: value".
std::string ExperimentText(const Experiment& experiment);

// A line for each: name, state, frames, whether it is in memory, index.
std::string ListText(const std::vector<Experiment>& experiments);

// "IVF185,Flat, nlist 185, nprobe 12, recall@8 0.967": what was built and how well it finds.
std::string IndexText(const Experiment& experiment);
std::string IndexText(const Generation& generation);

// "ready", "degraded: WHY".
std::string StateText(const Experiment& experiment);

// "43.0 MiB", or that it is not loaded.
std::string MemoryText(const Experiment& experiment);
std::string MebibytesText(int64_t bytes);

}  // namespace kith::cli
