#include "server/config/changes.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/config/keys.h"
#include "tests/config/fields.h"

namespace kith::config {
namespace {

// Another value for each key than its default.
const std::vector<std::pair<std::string, std::string>>& OtherValues() {
  static const auto& values = *new std::vector<std::pair<std::string, std::string>>{
      {"listen", "127.0.0.1:1"},
      {"data_dir", "elsewhere"},
      {"preload", "anna"},
      {"memory.budget", "1GiB"},
      {"storage.fold_bytes", "1MiB"},
      {"http.listen", "127.0.0.1:2"},
      {"log.level", "warn"},
      {"log.format", "json"},
      {"limits.message_bytes", "65536"},
      {"limits.import_bytes", "1048576"},
      {"limits.answer_bytes", "64MiB"},
      {"limits.message_buffers", "64MiB"},
      {"search.queue_rows", "9000"},
      {"auth.health", "token"},
      {"auth.reflection", "off"},
      {"insecure", "true"},
  };
  return values;
}

std::string Other(const std::string& key) {
  for (const auto& [name, value] : OtherValues()) {
    if (name == key) return value;
  }
  return "7";
}

TEST(ChangesTest, NoneBetweenEqualConfigurations) { EXPECT_TRUE(Changes({}, {}).empty()); }

TEST(ChangesTest, EveryKeyIsNoticedAloneAndTakenOnWhereItIsLive) {
  for (const Key& key : Keys()) {
    Config wanted;
    ASSERT_TRUE(key.set(Other(key.name), wanted).ok()) << key.name;
    const std::vector<Change> changes = Changes({}, wanted);
    ASSERT_EQ(changes.size(), 1u) << key.name;
    EXPECT_EQ(changes[0].key, key.name);
    EXPECT_EQ(changes[0].from, Shown(key.name, {}));
    EXPECT_EQ(changes[0].to, Shown(key.name, wanted));
    EXPECT_NE(changes[0].from, changes[0].to);
    EXPECT_EQ(changes[0].live, IsLive(key.name));
    EXPECT_EQ(Fields(WithLiveKeys({}, wanted)), Fields(changes[0].live ? wanted : Config{})) << key.name;
  }
}

TEST(ChangesTest, AreShownAsTheFileHasThem) {
  const auto wanted = Parse("memory: {budget: 50%}\npreload: [anna, bert]\n", "file");
  ASSERT_TRUE(wanted.ok()) << wanted.status();
  const std::vector<Change> changes = Changes({}, *wanted);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].from, "70%");
  EXPECT_EQ(changes[0].to, "50%");
  EXPECT_EQ(changes[1].from, "[]");
  EXPECT_EQ(changes[1].to, "[anna, bert]");
}

}  // namespace
}  // namespace kith::config
