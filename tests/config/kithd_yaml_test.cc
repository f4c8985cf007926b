// Holds config/kithd.yaml to what the server knows.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
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
  std::vector<std::string> sections;  // that the line is in, two columns each
  std::string comment;
  for (std::string line; std::getline(file, line);) {
    const std::string text(absl::StripAsciiWhitespace(line));
    if (absl::StartsWith(text, "#") || text.empty()) {
      comment = text.empty() ? "" : comment + text;
      continue;
    }
    const std::string name = text.substr(0, text.find(':'));
    sections.resize(std::min(sections.size(), line.find_first_not_of(' ') / 2));
    keys[absl::StrJoin(sections, ".") + (sections.empty() ? "" : ".") + name] = comment;
    if (absl::EndsWith(text, ":")) sections.push_back(name);
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
