#include "server/config/keys.h"

#include <algorithm>
#include <initializer_list>
#include <numeric>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/config/listen.h"
#include "server/config/sizes.h"

namespace kith::config {
namespace {

using Setter = decltype(Key::set);

constexpr int kMaxThreads = 1024;
constexpr int kMaxRows = 1'000'000'000;
constexpr int64_t kMinImportBytes = int64_t{1} << 20;
constexpr int64_t kMaxImportBytes = int64_t{256} << 30;
constexpr int64_t kLeastRoom = int64_t{64} << 20;
constexpr int64_t kTebibyte = int64_t{1} << 40;

// Field: a function from Config& to the integer it means.
template <typename Field, typename Number>
Setter Whole(Field field, Number least, Number most) {
  return [=](absl::string_view value, Config& config) {
    Number number = 0;
    if (!absl::SimpleAtoi(value, &number) || number < least || number > most) {
      return Error(Reason::kBadParameter,
                   absl::StrCat("'", value, "' is not a whole number from ", least, " to ", most));
    }
    field(config) = number;
    return absl::OkStatus();
  };
}

// Bytes, 1TiB of them at most; `range` is for the message.
template <typename Field>
Setter Bytes(Field field, int64_t least, const char* range) {
  return [=](absl::string_view value, Config& config) {
    const absl::StatusOr<int64_t> bytes = ParseBytes(value);
    if (!bytes.ok()) return bytes.status();
    if (*bytes < least || *bytes > kTebibyte) {
      return Error(Reason::kBadParameter, absl::StrCat("'", value, "' is out of range; ", range));
    }
    field(config) = *bytes;
    return absl::OkStatus();
  };
}

template <typename Field>
Setter OneOf(Field field, std::initializer_list<const char*> choices) {
  return [field, choices = std::vector<std::string>(choices.begin(), choices.end())](absl::string_view value,
                                                                                     Config& config) {
    if (!absl::c_linear_search(choices, value)) {
      return Error(Reason::kBadParameter, absl::StrCat("'", value, "' is not one of ", absl::StrJoin(choices, ", ")));
    }
    field(config) = std::string(value);
    return absl::OkStatus();
  };
}

absl::Status SetListen(absl::string_view value, Config& config) {
  const absl::StatusOr<Listen> listen = ParseListen(value);
  if (!listen.ok()) return listen.status();
  config.listen = std::string(value);
  return absl::OkStatus();
}

absl::Status SetHttpListen(absl::string_view value, Config& config) {
  if (!value.empty()) {
    const absl::StatusOr<Listen> listen = ParseListen(value);
    if (!listen.ok()) return listen.status();
  }
  config.http.listen = std::string(value);
  return absl::OkStatus();
}

absl::Status SetDataDir(absl::string_view value, Config& config) {
  if (value.empty() || absl::StrContains(value, absl::string_view("\0", 1))) {
    return Error(Reason::kBadParameter, "is not a folder's path");
  }
  config.data_dir = std::string(value);
  return absl::OkStatus();
}

// Of a file that is read when the server starts; empty for none.
template <typename Field>
Setter File(Field field) {
  return [=](absl::string_view value, Config& config) {
    if (absl::StrContains(value, absl::string_view("\0", 1))) {
      return Error(Reason::kBadParameter, "is not a file's path");
    }
    field(config) = std::string(value);
    return absl::OkStatus();
  };
}

absl::Status SetInsecure(absl::string_view value, Config& config) {
  if (value != "true" && value != "false") {
    return Error(Reason::kBadParameter, absl::StrCat("'", value, "' is not one of true, false"));
  }
  config.insecure = value == "true";
  return absl::OkStatus();
}

absl::Status SetBudget(absl::string_view value, Config& config) {
  const absl::StatusOr<Memory::Budget> budget = ParseBudget(value);
  if (!budget.ok()) return budget.status();
  config.memory.budget = *budget;
  return absl::OkStatus();
}

absl::Status AddPreloaded(absl::string_view value, Config& config) {
  if (absl::Status status = CheckExperimentName(std::string(value)); !status.ok()) return status;
  if (absl::c_linear_search(config.preload, value)) {
    return Error(Reason::kBadParameter, absl::StrCat("'", value, "' is there twice"));
  }
  config.preload.emplace_back(value);
  return absl::OkStatus();
}

// So many a second; 0 for any number.
template <typename Field>
Key RateKey(std::string name, Field field) {
  return {std::move(name), Whole(field, 0, kMaxRows)};
}

// So many bytes a second; 0 for any number.
template <typename Field>
Key BytesKey(std::string name, Field field) {
  return {std::move(name), Bytes(field, 0, "0 to 1TiB")};
}

std::vector<Key> MakeKeys() {
  return {
      {"listen", SetListen},
      {"data_dir", SetDataDir},
      {"drain_seconds", Whole([](Config& c) -> int& { return c.drain_seconds; }, 1, 3600)},
      {"limits.k", Whole([](Config& c) -> int& { return c.limits.k; }, 1, 1024)},
      {"limits.rows", Whole([](Config& c) -> int& { return c.limits.rows; }, 1, 65536)},
      {"limits.message_bytes",
       Whole([](Config& c) -> int& { return c.limits.message_bytes; }, 64 * 1024, 1024 * 1024 * 1024)},
      {"limits.streams", Whole([](Config& c) -> int& { return c.limits.streams; }, 1, 65536)},
      {"limits.connections", Whole([](Config& c) -> int& { return c.limits.connections; }, 1, 1'000'000)},
      {"limits.experiments", Whole([](Config& c) -> int& { return c.limits.experiments; }, 1, 1'000'000)},
      {"limits.answer_bytes",
       Bytes([](Config& c) -> int64_t& { return c.limits.answer_bytes; }, kLeastRoom, "64MiB to 1TiB")},
      {"limits.message_buffers",
       Bytes([](Config& c) -> int64_t& { return c.limits.message_buffers; }, kLeastRoom, "64MiB to 1TiB")},
      {"limits.import_bytes",
       Whole([](Config& c) -> int64_t& { return c.limits.import_bytes; }, kMinImportBytes, kMaxImportBytes)},
      RateKey("limits.client.requests", [](Config& c) -> int64_t& { return c.limits.client.requests; }),
      RateKey("limits.client.rows", [](Config& c) -> int64_t& { return c.limits.client.rows; }),
      BytesKey("limits.client.bytes", [](Config& c) -> int64_t& { return c.limits.client.bytes; }),
      {"limits.client.streams", Whole([](Config& c) -> int& { return c.limits.client.streams; }, 0, 65536)},
      RateKey("limits.experiment.requests", [](Config& c) -> int64_t& { return c.limits.experiment.requests; }),
      RateKey("limits.experiment.rows", [](Config& c) -> int64_t& { return c.limits.experiment.rows; }),
      BytesKey("limits.experiment.bytes", [](Config& c) -> int64_t& { return c.limits.experiment.bytes; }),
      {"limits.experiment.streams", Whole([](Config& c) -> int& { return c.limits.experiment.streams; }, 0, 65536)},
      {"search.threads", Whole([](Config& c) -> int& { return c.search.threads; }, 0, kMaxThreads)},
      {"search.queue_rows", Whole([](Config& c) -> int& { return c.search.queue_rows; }, 1, 1 << 24)},
      {"search.batch_rows", Whole([](Config& c) -> int& { return c.search.batch_rows; }, 1, 65536)},
      {"training.threads", Whole([](Config& c) -> int& { return c.training.threads; }, 0, kMaxThreads)},
      {"training.concurrent", Whole([](Config& c) -> int& { return c.training.concurrent; }, 1, 64)},
      {"training.nice", Whole([](Config& c) -> int& { return c.training.nice; }, 0, 19)},
      {"training.queue", Whole([](Config& c) -> int& { return c.training.queue; }, 1, 4096)},
      {"training.compress_above_rows",
       Whole([](Config& c) -> int& { return c.training.compress_above_rows; }, 0, kMaxRows)},
      {"training.compress_centres", Whole([](Config& c) -> int& { return c.training.compress_centres; }, 1, kMaxRows)},
      {"training.import_seconds", Whole([](Config& c) -> int& { return c.training.import_seconds; }, 1, 86400)},
      {"memory.budget", SetBudget},
      {"preload", AddPreloaded, /*list=*/true},
      {"storage.keep_generations", Whole([](Config& c) -> int& { return c.storage.keep_generations; }, 1, 100)},
      {"storage.fold_rows", Whole([](Config& c) -> int& { return c.storage.fold_rows; }, 1, kMaxRows)},
      {"storage.fold_bytes", Bytes([](Config& c) -> int64_t& { return c.storage.fold_bytes; }, 1, "1 to 1TiB")},
      {"http.listen", SetHttpListen},
      {"metrics.experiments", Whole([](Config& c) -> int& { return c.metrics.experiments; }, 0, 1000)},
      {"tls.cert", File([](Config& c) -> std::string& { return c.tls.cert; })},
      {"tls.key", File([](Config& c) -> std::string& { return c.tls.key; })},
      {"tls.client_ca", File([](Config& c) -> std::string& { return c.tls.client_ca; })},
      {"auth.tokens", File([](Config& c) -> std::string& { return c.auth.tokens; })},
      {"auth.health", OneOf([](Config& c) -> std::string& { return c.auth.health; }, {"open", "token"})},
      {"auth.reflection", OneOf([](Config& c) -> std::string& { return c.auth.reflection; }, {"open", "token", "off"})},
      {"insecure", SetInsecure},
      {"log.level",
       OneOf([](Config& c) -> std::string& { return c.log.level; }, {"trace", "debug", "info", "warn", "error"})},
      {"log.format", OneOf([](Config& c) -> std::string& { return c.log.format; }, {"text", "json"})},
      {"log.slow_ms", Whole([](Config& c) -> int& { return c.log.slow_ms; }, 0, 3'600'000)},
  };
}

absl::Status QueueHoldsTheLargestMessage(const Config& config) {
  if (config.search.queue_rows >= config.limits.rows) return absl::OkStatus();
  return Error(
      Reason::kBadParameter,
      absl::StrCat("search.queue_rows (", config.search.queue_rows, ") is below limits.rows (", config.limits.rows,
                   "), so that the largest message could never be taken; raise the first or lower the second"));
}

absl::Status TlsIsWhole(const Config& config) {
  const config::Tls& tls = config.tls;
  if (tls.cert.empty() != tls.key.empty()) {
    return Error(Reason::kBadParameter, "tls.cert and tls.key are a pair; set both or none");
  }
  if (!tls.client_ca.empty() && tls.cert.empty()) {
    return Error(Reason::kBadParameter, "tls.client_ca needs tls.cert and tls.key; set these too");
  }
  return absl::OkStatus();
}

absl::string_view SectionOf(absl::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == absl::string_view::npos ? absl::string_view() : name.substr(0, dot);
}

absl::string_view LastPart(absl::string_view name) { return name.substr(name.rfind('.') + 1); }

// Levenshtein's: insertions, deletions and replacements that lead from a to b.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

// Small where one may have been written for the other: misspelt, or in the wrong section.
size_t Distance(absl::string_view unknown, absl::string_view known) {
  constexpr size_t kWrongSection = 2;
  const size_t distance = EditDistance(unknown, known);
  return LastPart(unknown) == LastPart(known) ? std::min(distance, kWrongSection) : distance;
}

}  // namespace

const std::vector<Key>& Keys() {
  static const auto& keys = *new std::vector<Key>(MakeKeys());
  return keys;
}

const Key* FindKey(absl::string_view name) {
  const auto found = absl::c_find_if(Keys(), [&](const Key& key) { return key.name == name; });
  return found == Keys().end() ? nullptr : &*found;
}

bool IsSection(absl::string_view name) {
  return !name.empty() &&
         absl::c_any_of(Keys(), [&](const Key& key) { return absl::StartsWith(key.name, absl::StrCat(name, ".")); });
}

std::string Advice(absl::string_view unknown) {
  std::string nearest;
  size_t best = std::max<size_t>(2, unknown.size() / 4) + 1;
  for (const Key& key : Keys()) {
    for (const absl::string_view known : {absl::string_view(key.name), SectionOf(key.name)}) {
      const size_t distance = known.empty() ? best : Distance(unknown, known);
      if (distance >= best) continue;
      best = distance;
      nearest = std::string(known);
    }
  }
  return nearest.empty() ? "unknown key; remove it" : absl::StrCat("unknown key; did you mean '", nearest, "'?");
}

const std::vector<Rule>& Rules() {
  static const auto& rules = *new std::vector<Rule>{
      {{"search.queue_rows", "limits.rows"}, QueueHoldsTheLargestMessage},
      {{"tls.cert", "tls.key", "tls.client_ca"}, TlsIsWhole},
  };
  return rules;
}

}  // namespace kith::config
