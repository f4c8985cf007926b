#include "server/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "tests/config/fields.h"

namespace kith::config {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Config ParseOk(const std::string& text) {
  absl::StatusOr<Config> config = Parse(text, "kithd.yaml");
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *std::move(config) : Config{};
}

// place: "kithd.yaml:LINE: KEY", where the message starts.
void ExpectBad(const std::string& text, const std::string& place, const std::string& message) {
  const absl::Status status = Parse(text, "kithd.yaml").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  EXPECT_EQ(ReasonOf(status), "BAD_PARAMETER") << text;
  EXPECT_THAT(std::string(status.message()), StartsWith(place + ": ")) << text;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message)) << text;
}

TEST(Parse, NothingGivesTheDefaults) {
  for (const std::string text : {"", "# a comment\n", "---\n", "{}", "limits:\n  # k: 10\nlog:\n"}) {
    EXPECT_EQ(Fields(ParseOk(text)), Fields(Config{})) << text;
  }
  EXPECT_EQ(Config{}.listen, "127.0.0.1:50051");
  EXPECT_EQ(Config{}.data_dir, "kith-data");
}

TEST(Parse, EveryKey) {
  const Config config = ParseOk(R"(
listen: "[::1]:0"
data_dir: /var/lib/kith
limits: {k: 1, rows: 2, message_bytes: 65536, streams: 3, connections: 14, experiments: 4,
         answer_bytes: 64MiB, message_buffers: 65MiB, import_bytes: 5000000000,
         client: {requests: 5, rows: 6, bytes: 7KiB, streams: 8}, experiment: {requests: 9, rows: 1, bytes: 2, streams: 3}}
search: {threads: 5, queue_rows: 6, batch_rows: 7}
training: {threads: 8, concurrent: 9, nice: 0, queue: 11, compress_above_rows: 0, compress_centres: 12,
           import_seconds: 13}
memory: {budget: 80%}
preload: [anna, "Zo\u00eb v2"]
storage: {keep_generations: 13, fold_rows: 14, fold_bytes: 15KiB}
tls: {cert: a.pem, key: b.pem, client_ca: c.pem}
auth: {tokens: d, health: token, reflection: "off"}
insecure: true
log: {level: debug, format: json}
)");
  Config expected;
  expected.listen = "[::1]:0";
  expected.data_dir = "/var/lib/kith";
  expected.limits = {1, 2, 65536, 3, 14, 4, 64 << 20, 65 << 20, 5000000000, {5, 6, 7168, 8}, {9, 1, 2, 3}};
  expected.search = {5, 6, 7};
  expected.training = {8, 9, 0, 11, 0, 12, 13};
  expected.memory.budget.percent = 80;
  expected.preload = {"anna", "Zo\xc3\xab v2"};
  expected.storage = {13, 14, 15 * 1024};
  expected.tls = {"a.pem", "b.pem", "c.pem"};
  expected.auth = {"d", "token", "off"};
  expected.insecure = true;
  expected.log = {"debug", "json"};
  EXPECT_EQ(Fields(config), Fields(expected));
}

TEST(Parse, UnknownKeyNamesTheNearest) {
  ExpectBad("listen: 127.0.0.1:1\n\nlimits:\n  rowz: 5\n", "kithd.yaml:4: limits.rowz", "did you mean 'limits.rows'?");
  ExpectBad("limit:\n  k: 5\n", "kithd.yaml:1: limit", "did you mean 'limits'?");
  ExpectBad("data-dir: x\n", "kithd.yaml:1: data-dir", "did you mean 'data_dir'?");
  ExpectBad("limits:\n  client:\n    row: 5\n", "kithd.yaml:3: limits.client.row",
            "did you mean 'limits.client.rows'?");
  ExpectBad("batch_rows: 5\n", "kithd.yaml:1: batch_rows", "did you mean 'search.batch_rows'?");
  ExpectBad("limits:\n  nice: 5\n", "kithd.yaml:2: limits.nice", "did you mean 'training.nice'?");
  ExpectBad("colour: blue\n", "kithd.yaml:1: colour", "unknown key; remove it");
  ExpectBad("frobnicate:\n", "kithd.yaml:1: frobnicate", "unknown key");
}

TEST(Parse, SameKeyTwice) {
  ExpectBad("listen: 127.0.0.1:1\nlisten: 127.0.0.1:1\n", "kithd.yaml:2: listen", "the first is in line 1");
  ExpectBad("limits: {k: 1}\nlog: {}\nlimits: {rows: 2}\n", "kithd.yaml:3: limits", "the first is in line 1");
  ExpectBad("limits:\n  k: 1\n  k: 2\n", "kithd.yaml:3: limits.k", "the first is in line 2");
}

TEST(Parse, WrongType) {
  ExpectBad("limits:\n  k: many\n", "kithd.yaml:2: limits.k", "'many' is not a whole number from 1 to 1024");
  ExpectBad("limits:\n  k: 1.5\n", "kithd.yaml:2: limits.k", "whole number");
  ExpectBad("limits:\n  k: true\n", "kithd.yaml:2: limits.k", "whole number");
  ExpectBad("limits:\n  k: ''\n", "kithd.yaml:2: limits.k", "whole number");
  ExpectBad("limits:\n  client: 5\n", "kithd.yaml:2: limits.client", "a section");
  ExpectBad("limits:\n  client:\n    bytes: much\n", "kithd.yaml:3: limits.client.bytes", "is no number of bytes");
  ExpectBad("limits:\n  k: [1, 2]\n", "kithd.yaml:2: limits.k", "single value");
  ExpectBad("limits:\n  k: {a: 1}\n", "kithd.yaml:2: limits.k", "single value");
  ExpectBad("limits:\n  k:\n", "kithd.yaml:2: limits.k", "no value");
  ExpectBad("limits: 5\n", "kithd.yaml:1: limits", "a section");
  ExpectBad("data_dir: ''\n", "kithd.yaml:1: data_dir", "folder");
  ExpectBad("[listen]\n", "kithd.yaml:1", "keys and values");
  ExpectBad("? [a]\n: b\n", "kithd.yaml:1", "plain word");
}

TEST(Parse, OutOfRange) {
  struct Range {
    std::string section, key;
    int64_t least, most;
  };
  for (const Range& range : std::vector<Range>{{"limits", "k", 1, 1024},
                                               {"limits", "rows", 1, 65536},
                                               {"limits", "message_bytes", 65536, 1073741824},
                                               {"limits", "streams", 1, 65536},
                                               {"limits", "connections", 1, 1000000},
                                               {"limits", "experiments", 1, 1000000},
                                               {"limits", "answer_bytes", 64 << 20, int64_t{1} << 40},
                                               {"limits", "message_buffers", 64 << 20, int64_t{1} << 40},
                                               {"limits", "import_bytes", 1048576, 274877906944},
                                               {"search", "threads", 0, 1024},
                                               {"search", "queue_rows", 8192, 16777216},
                                               {"search", "batch_rows", 1, 65536},
                                               {"training", "threads", 0, 1024},
                                               {"training", "concurrent", 1, 64},
                                               {"training", "nice", 0, 19},
                                               {"training", "queue", 1, 4096},
                                               {"training", "import_seconds", 1, 86400},
                                               {"storage", "keep_generations", 1, 100},
                                               {"storage", "fold_rows", 1, 1000000000},
                                               {"storage", "fold_bytes", 1, int64_t{1} << 40}}) {
    const auto parse = [&](int64_t value) {
      return Parse(absl::StrCat(range.section, ":\n  ", range.key, ": ", value, "\n"), "kithd.yaml");
    };
    for (const int64_t good : {range.least, range.most}) EXPECT_TRUE(parse(good).ok()) << range.key << good;
    for (const int64_t bad : {range.least - 1, range.most + 1, int64_t{1} << 41}) {
      const std::string message(parse(bad).status().message());
      EXPECT_THAT(message, StartsWith("kithd.yaml:2: ")) << range.key << bad;
      EXPECT_THAT(message, HasSubstr(range.section + "." + range.key)) << range.key << bad;
    }
  }
}

TEST(Parse, RatesAtTheirEdges) {
  for (const std::string of : {"client", "experiment"}) {
    const auto parse = [&](const std::string& key, const std::string& value) {
      return Parse("limits: {" + of + ": {" + key + ": " + value + "}}\n", "kithd.yaml").ok();
    };
    for (const auto& [key, most, beyond] :
         {std::tuple("requests", "1000000000", "1000000001"), std::tuple("rows", "1000000000", "1000000001"),
          std::tuple("bytes", "1TiB", "1025GiB"), std::tuple("streams", "65536", "65537")}) {
      EXPECT_TRUE(parse(key, "0")) << of << key;
      EXPECT_TRUE(parse(key, most)) << of << key;
      EXPECT_FALSE(parse(key, beyond)) << of << key;
      EXPECT_FALSE(parse(key, "-1")) << of << key;
    }
  }
}

TEST(Parse, BadWords) {
  ExpectBad("listen: 50051\n", "kithd.yaml:1: listen", "has no port");
  ExpectBad("http:\n  listen: 9464\n", "kithd.yaml:2: http.listen", "has no port");
  ExpectBad("log:\n  level: verbose\n", "kithd.yaml:2: log.level", "not one of trace, debug, info, warn, error");
  ExpectBad("auth:\n  health: off\n", "kithd.yaml:2: auth.health", "not one of open, token");
  ExpectBad("auth:\n  reflection: yes\n", "kithd.yaml:2: auth.reflection", "not one of open, token, off");
  ExpectBad("insecure: yes\n", "kithd.yaml:1: insecure", "not one of true, false");
  ExpectBad("log:\n  format: xml\n", "kithd.yaml:2: log.format", "not one of text, json");
}

TEST(Parse, BudgetIsBytesOrAShare) {
  const auto budget = [](const std::string& text) {
    return ParseOk("memory:\n  budget: " + text + "\n").memory.budget;
  };
  constexpr int64_t kGibibyte = 1 << 30;
  EXPECT_EQ(budget("1073741824").bytes, kGibibyte);
  EXPECT_EQ(budget("8GiB").bytes, 8 * kGibibyte);
  EXPECT_EQ(budget("65536 KiB").bytes, kLeastBudget);
  EXPECT_EQ(budget("64MiB").bytes, kLeastBudget);
  EXPECT_EQ(budget("'1%'").percent, 1);
  EXPECT_EQ(budget("100%").percent, 100);
  EXPECT_EQ(budget("100 %").bytes, std::nullopt);
  ExpectBad("memory:\n  budget: much\n", "kithd.yaml:2: memory.budget", "is no number of bytes; write 1073741824");
  for (const std::string text : {"0%", "101%", "-5%", "1.5%", "%", "7%%"}) {
    ExpectBad("memory:\n  budget: '" + text + "'\n", "kithd.yaml:2: memory.budget", "percentage from 1% to 100%");
  }
  for (const std::string text :
       {"-1", "+70000000", "1e9", "8GB", "8 gib", "GiB", "0x10000000", "9999999999GiB", "''"}) {
    ExpectBad("memory:\n  budget: " + text + "\n", "kithd.yaml:2: memory.budget", "is no number of bytes");
  }
  for (const std::string text : {"0", "67108863", "63MiB"}) {
    ExpectBad("memory:\n  budget: " + text + "\n", "kithd.yaml:2: memory.budget", "below the least, 64MiB");
  }
  ExpectBad("memory:\n  budget: [1GiB]\n", "kithd.yaml:2: memory.budget", "single value");
}

TEST(Budget, AShareIsOfWhatIsUsable) {
  constexpr int64_t kGibibyte = 1 << 30;
  Memory::Budget budget;
  EXPECT_NEAR(static_cast<double>(budget.Of(10 * kGibibyte)), 0.7 * 10 * kGibibyte, 100);
  EXPECT_EQ(budget.Of(1000), kLeastBudget);
  EXPECT_GT(budget.Of(std::numeric_limits<int64_t>::max()), 0) << "no limit is known";
  budget.bytes = kGibibyte;
  EXPECT_EQ(budget.Of(1000), kGibibyte);
}

TEST(Parse, PreloadIsAListOfNames) {
  EXPECT_EQ(ParseOk("preload:\n  - anna\n  - 7\n  - true\n").preload, (std::vector<std::string>{"anna", "7", "true"}));
  EXPECT_TRUE(ParseOk("preload: []\n").preload.empty());
  ExpectBad("preload: anna\n", "kithd.yaml:1: preload", "takes a list, such as [a, b]");
  ExpectBad("preload: {anna: 1}\n", "kithd.yaml:1: preload", "takes a list");
  ExpectBad("preload:\n", "kithd.yaml:1: preload", "has no value");
  ExpectBad("preload:\n  - anna\n  - [bert]\n", "kithd.yaml:3: preload", "single values only");
  ExpectBad("preload:\n  - anna\n  -\n", "kithd.yaml:1: preload", "its list has an empty value");
  ExpectBad("preload:\n  - anna\n  - a/b\n", "kithd.yaml:3: preload", "'/'");
  ExpectBad("preload:\n  - ''\n", "kithd.yaml:2: preload", "name");
  ExpectBad("preload:\n  - anna\n  - bert\n  - anna\n", "kithd.yaml:4: preload", "'anna' is there twice");
}

TEST(Parse, QueueHoldsTheLargestMessage) {
  ExpectBad("limits:\n  rows: 1000\nsearch:\n  queue_rows: 999\n", "kithd.yaml:4",
            "search.queue_rows (999) is below limits.rows (1000)");
  ExpectBad("search:\n  queue_rows: 8191\n", "kithd.yaml:2", "limits.rows (8192)");
  EXPECT_EQ(ParseOk("limits:\n  rows: 65536\n").limits.rows, 65536);
}

TEST(Parse, TlsIsWhole) {
  ExpectBad("tls:\n  cert: a\n", "kithd.yaml:2", "tls.cert and tls.key are a pair");
  ExpectBad("tls:\n  key: a\n", "kithd.yaml:2", "tls.cert and tls.key are a pair");
  ExpectBad("\ntls:\n  client_ca: a\n", "kithd.yaml:3", "needs tls.cert and tls.key");
  EXPECT_FALSE(ParseOk("tls:\n  cert: ''\n  key: ''\n").tls.enabled());
}

TEST(CheckExposure, APublicAddressNeedsProtectionOrAWord) {
  const auto exposed = [](const std::string& text) { return CheckExposure(ParseOk(text)); };
  for (const char* address : {"0.0.0.0:1", "'[::]:1'", "10.0.0.1:1", "example.org:1"}) {
    const std::string listen = absl::StrCat("listen: ", address, "\n");
    const absl::Status refused = exposed(listen);
    EXPECT_EQ(ReasonOf(refused), "BAD_PARAMETER") << address;
    EXPECT_THAT(std::string(refused.message()), StartsWith("listen: "));
    EXPECT_THAT(std::string(refused.message()), HasSubstr("insecure: true"));
    EXPECT_THAT(std::string(refused.message()), HasSubstr("KITH_INSECURE=true"));
    for (const char* word : {"insecure: true\n", "auth: {tokens: t}\n", "tls: {cert: c, key: k}\n"}) {
      EXPECT_TRUE(exposed(listen + word).ok()) << address << word;
    }
  }
  for (const char* address : {"127.0.0.1:1", "localhost:1", "'[::1]:1'"}) {
    EXPECT_TRUE(exposed(absl::StrCat("listen: ", address, "\n")).ok()) << address;
  }
  EXPECT_THAT(std::string(exposed("http: {listen: 0.0.0.0:1}\n").message()), StartsWith("http.listen: "));
  EXPECT_TRUE(exposed("http: {listen: 127.0.0.1:1}\n").ok());
}

TEST(Parse, WhatIsNotYaml) {
  ExpectBad("listen: 127.0.0.1:1\nlog: {level: info\n", "kithd.yaml:3", "not valid YAML");
  ExpectBad("listen: *nowhere\n", "kithd.yaml:1", "not valid YAML");
  ExpectBad("listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2\n", "kithd.yaml:2", "second YAML document");
}

TEST(Parse, AnAliasOfItsOwnAncestorEnds) {
  ExpectBad("limits: &a\n  k: 1\n  limits: *a\n", "kithd.yaml:3: limits.limits", "unknown key");
}

TEST(Load, FileThatCannotBeRead) {
  const std::string missing = ::testing::TempDir() + "no-such-folder/kithd.yaml";
  const std::string message(Load(missing).status().message());
  EXPECT_THAT(message, StartsWith(missing + ": "));
  EXPECT_THAT(message, HasSubstr("No such file"));
  EXPECT_THAT(std::string(Load(::testing::TempDir()).status().message()), HasSubstr("is a folder"));
}

TEST(Load, ErrorsNameTheFile) {
  const std::string path = absl::StrCat(::testing::TempDir(), "kith-config-", getpid(), ".yaml");
  std::ofstream(path) << "log:\n  level: loud\n";
  EXPECT_THAT(std::string(Load(path).status().message()), StartsWith(path + ":2: log.level: "));
  std::filesystem::remove(path);
}

// To yaml-cpp each of these is the start of one document after the other, without end.
TEST(Parse, WhatCanStartNoDocumentComesToAnEnd) {
  for (const std::string text : {",", "], a: b", "listen: 127.0.0.1:1\nlimits:\n  k: 8\n]", "a: b\n},\n"}) {
    EXPECT_EQ(ReasonOf(Parse(text, "kithd.yaml").status()), "BAD_PARAMETER") << text;
  }
}

TEST(WithOverrides, FlagsStandAboveTheFile) {
  const Config file = ParseOk("listen: 127.0.0.1:1\ndata_dir: a\nlog: {level: warn}\nlimits: {k: 7}\n");
  EXPECT_EQ(Fields(*WithOverrides(file, {})), Fields(file));
  Config expected = file;
  expected.listen = "[::1]:0";
  expected.data_dir = "b";
  expected.log.level = "trace";
  expected.insecure = true;
  const absl::StatusOr<Config> config = WithOverrides(file, {"[::1]:0", "b", "trace", "true"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(Fields(*config), Fields(expected));
}

TEST(WithOverrides, ErrorsNameTheFlag) {
  const auto message = [](const Overrides& flags) { return std::string(WithOverrides({}, flags).status().message()); };
  EXPECT_THAT(message({"nowhere", {}, {}, {}}), StartsWith("--listen: 'nowhere' has no port"));
  EXPECT_THAT(message({{}, "", {}, {}}), StartsWith("--data-dir: "));
  EXPECT_THAT(message({{}, {}, "loud", {}}), StartsWith("--log-level: 'loud' is not one of trace"));
  EXPECT_THAT(message({{}, {}, {}, "1"}), StartsWith("KITH_INSECURE: '1' is not one of true, false"));
}

}  // namespace
}  // namespace kith::config
