// Holds config/kithd.yaml to what the server knows.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/config/changes.h"
#include "server/config/config.h"
#include "server/config/keys.h"
#include "tests/config/fields.h"

namespace kith::config {
namespace {

// Each key of the file, with the comment right above it.
std::map<std::string, std::string> KeysInFile() {
  std::map<std::string, std::string> keys;
  std::ifstream file(KITH_DEFAULT_CONFIG);
  std::string section;
  std::string comment;
  for (std::string line; std::getline(file, line);) {
    const std::string text(absl::StripAsciiWhitespace(line));
    if (absl::StartsWith(text, "#") || text.empty()) {
      comment = text.empty() ? "" : comment + text;
      continue;
    }
    const std::string name = text.substr(0, text.find(':'));
    const bool indented = absl::StartsWith(line, " ");
    if (!indented) section = absl::EndsWith(text, ":") ? name : "";
    keys[indented ? absl::StrCat(section, ".", name) : name] = comment;
    comment.clear();
  }
  return keys;
}

TEST(KithdYaml, HoldsTheDefaults) {
  const absl::StatusOr<Config> config = Load(KITH_DEFAULT_CONFIG);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(Fields(*config), Fields(Config{}));
}

TEST(KithdYaml, HasEveryKeyWithAComment) {
  const std::map<std::string, std::string> in_file = KeysInFile();
  for (const Key& key : Keys()) {
    const auto found = in_file.find(key.name);
    ASSERT_NE(found, in_file.end()) << key.name << " is missing";
    EXPECT_FALSE(found->second.empty()) << key.name << " has no comment above it";
  }
}

TEST(KithdYaml, MarksTheKeysThatAReloadTakesOn) {
  for (const auto& [name, comment] : KeysInFile()) {
    if (FindKey(name) == nullptr) continue;  // a section
    EXPECT_EQ(absl::StrContains(comment, "[reload]"), IsLive(name)) << name;
  }
}

}  // namespace
}  // namespace kith::config
