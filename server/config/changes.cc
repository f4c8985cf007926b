#include "server/config/changes.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/config/keys.h"

namespace kith::config {
namespace {

struct Value {
  absl::string_view key;
  std::string (*shown)(const Config&);
  void (*copy)(const Config& from, Config& to) = nullptr;  // a live key's; null: takes a restart
};

std::string Budget(const Config& c) {
  const Memory::Budget& budget = c.memory.budget;
  return budget.bytes ? absl::StrCat(*budget.bytes) : absl::StrCat(budget.percent, "%");
}

constexpr Value kValues[] = {
    {"listen", [](const Config& c) { return c.listen; }},
    {"data_dir", [](const Config& c) { return c.data_dir; }},
    {"drain_seconds", [](const Config& c) { return absl::StrCat(c.drain_seconds); },
     [](const Config& from, Config& to) { to.drain_seconds = from.drain_seconds; }},
    {"limits.k", [](const Config& c) { return absl::StrCat(c.limits.k); },
     [](const Config& from, Config& to) { to.limits.k = from.limits.k; }},
    {"limits.rows", [](const Config& c) { return absl::StrCat(c.limits.rows); },
     [](const Config& from, Config& to) { to.limits.rows = from.limits.rows; }},
    {"limits.message_bytes", [](const Config& c) { return absl::StrCat(c.limits.message_bytes); }},
    {"limits.streams", [](const Config& c) { return absl::StrCat(c.limits.streams); },
     [](const Config& from, Config& to) { to.limits.streams = from.limits.streams; }},
    {"limits.experiments", [](const Config& c) { return absl::StrCat(c.limits.experiments); },
     [](const Config& from, Config& to) { to.limits.experiments = from.limits.experiments; }},
    {"limits.connections", [](const Config& c) { return absl::StrCat(c.limits.connections); }},
    {"limits.answer_bytes", [](const Config& c) { return absl::StrCat(c.limits.answer_bytes); }},
    {"limits.message_buffers", [](const Config& c) { return absl::StrCat(c.limits.message_buffers); }},
    {"limits.import_bytes", [](const Config& c) { return absl::StrCat(c.limits.import_bytes); }},
    {"limits.client.requests", [](const Config& c) { return absl::StrCat(c.limits.client.requests); },
     [](const Config& from, Config& to) { to.limits.client.requests = from.limits.client.requests; }},
    {"limits.client.rows", [](const Config& c) { return absl::StrCat(c.limits.client.rows); },
     [](const Config& from, Config& to) { to.limits.client.rows = from.limits.client.rows; }},
    {"limits.client.bytes", [](const Config& c) { return absl::StrCat(c.limits.client.bytes); },
     [](const Config& from, Config& to) { to.limits.client.bytes = from.limits.client.bytes; }},
    {"limits.client.streams", [](const Config& c) { return absl::StrCat(c.limits.client.streams); },
     [](const Config& from, Config& to) { to.limits.client.streams = from.limits.client.streams; }},
    {"limits.experiment.requests", [](const Config& c) { return absl::StrCat(c.limits.experiment.requests); },
     [](const Config& from, Config& to) { to.limits.experiment.requests = from.limits.experiment.requests; }},
    {"limits.experiment.rows", [](const Config& c) { return absl::StrCat(c.limits.experiment.rows); },
     [](const Config& from, Config& to) { to.limits.experiment.rows = from.limits.experiment.rows; }},
    {"limits.experiment.bytes", [](const Config& c) { return absl::StrCat(c.limits.experiment.bytes); },
     [](const Config& from, Config& to) { to.limits.experiment.bytes = from.limits.experiment.bytes; }},
    {"limits.experiment.streams", [](const Config& c) { return absl::StrCat(c.limits.experiment.streams); },
     [](const Config& from, Config& to) { to.limits.experiment.streams = from.limits.experiment.streams; }},
    {"search.threads", [](const Config& c) { return absl::StrCat(c.search.threads); }},
    {"search.queue_rows", [](const Config& c) { return absl::StrCat(c.search.queue_rows); },
     [](const Config& from, Config& to) { to.search.queue_rows = from.search.queue_rows; }},
    {"search.batch_rows", [](const Config& c) { return absl::StrCat(c.search.batch_rows); }},
    {"training.threads", [](const Config& c) { return absl::StrCat(c.training.threads); }},
    {"training.concurrent", [](const Config& c) { return absl::StrCat(c.training.concurrent); }},
    {"training.nice", [](const Config& c) { return absl::StrCat(c.training.nice); }},
    {"training.queue", [](const Config& c) { return absl::StrCat(c.training.queue); }},
    {"training.compress_above_rows", [](const Config& c) { return absl::StrCat(c.training.compress_above_rows); }},
    {"training.compress_centres", [](const Config& c) { return absl::StrCat(c.training.compress_centres); }},
    {"training.import_seconds", [](const Config& c) { return absl::StrCat(c.training.import_seconds); }},
    {"memory.budget", Budget, [](const Config& from, Config& to) { to.memory.budget = from.memory.budget; }},
    {"preload", [](const Config& c) { return absl::StrCat("[", absl::StrJoin(c.preload, ", "), "]"); }},
    {"storage.keep_generations", [](const Config& c) { return absl::StrCat(c.storage.keep_generations); }},
    {"storage.fold_rows", [](const Config& c) { return absl::StrCat(c.storage.fold_rows); },
     [](const Config& from, Config& to) { to.storage.fold_rows = from.storage.fold_rows; }},
    {"storage.fold_bytes", [](const Config& c) { return absl::StrCat(c.storage.fold_bytes); },
     [](const Config& from, Config& to) { to.storage.fold_bytes = from.storage.fold_bytes; }},
    {"http.listen", [](const Config& c) { return c.http.listen; }},
    {"metrics.experiments", [](const Config& c) { return absl::StrCat(c.metrics.experiments); }},
    {"tls.cert", [](const Config& c) { return c.tls.cert; }},
    {"tls.key", [](const Config& c) { return c.tls.key; }},
    {"tls.client_ca", [](const Config& c) { return c.tls.client_ca; }},
    {"auth.tokens", [](const Config& c) { return c.auth.tokens; }},
    {"auth.health", [](const Config& c) { return c.auth.health; }},
    {"auth.reflection", [](const Config& c) { return c.auth.reflection; }},
    {"insecure", [](const Config& c) { return std::string(c.insecure ? "true" : "false"); }},
    {"log.level", [](const Config& c) { return c.log.level; },
     [](const Config& from, Config& to) { to.log.level = from.log.level; }},
    {"log.format", [](const Config& c) { return c.log.format; }},
    {"log.slow_ms", [](const Config& c) { return absl::StrCat(c.log.slow_ms); }},
};

const Value* FindValue(absl::string_view key) {
  const auto* const found = absl::c_find_if(kValues, [&](const Value& value) { return value.key == key; });
  return found == std::end(kValues) ? nullptr : found;
}

}  // namespace

std::string Shown(absl::string_view key, const Config& config) {
  const Value* const value = FindValue(key);
  return value == nullptr ? "" : value->shown(config);
}

bool IsLive(absl::string_view key) {
  const Value* const value = FindValue(key);
  return value != nullptr && value->copy != nullptr;
}

std::vector<Change> Changes(const Config& running, const Config& wanted) {
  std::vector<Change> changes;
  for (const Value& value : kValues) {
    std::string from = value.shown(running);
    std::string to = value.shown(wanted);
    if (from != to) changes.push_back({std::string(value.key), std::move(from), std::move(to), value.copy != nullptr});
  }
  return changes;
}

Config WithLiveKeys(Config running, const Config& wanted) {
  for (const Value& value : kValues) {
    if (value.copy != nullptr) value.copy(wanted, running);
  }
  return running;
}

}  // namespace kith::config
