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
#include "server/config/config.h"
#include "server/config/keys.h"
#include "tests/config/fields.h"

namespace kith::config {
namespace {

// Each key of the file, and whether a comment stands right above it.
std::map<std::string, bool> KeysInFile() {
  std::map<std::string, bool> keys;
  std::ifstream file(KITH_DEFAULT_CONFIG);
  std::vector<std::string> sections;  // that the line is in, two columns each
  bool commented = false;
  for (std::string line; std::getline(file, line);) {
    const std::string text(absl::StripAsciiWhitespace(line));
    if (absl::StartsWith(text, "#") || text.empty()) {
      commented = !text.empty();
      continue;
    }
    const std::string name = text.substr(0, text.find(':'));
    sections.resize(std::min(sections.size(), line.find_first_not_of(' ') / 2));
    keys[absl::StrJoin(sections, ".") + (sections.empty() ? "" : ".") + name] = commented;
    if (absl::EndsWith(text, ":")) sections.push_back(name);
    commented = false;
  }
  return keys;
}

TEST(KithdYaml, HoldsTheDefaults) {
  const absl::StatusOr<Config> config = Load(KITH_DEFAULT_CONFIG);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(Fields(*config), Fields(Config{}));
}

TEST(KithdYaml, HasEveryKeyWithAComment) {
  const std::map<std::string, bool> in_file = KeysInFile();
  for (const Key& key : Keys()) {
    const auto found = in_file.find(key.name);
    ASSERT_NE(found, in_file.end()) << key.name << " is missing";
    EXPECT_TRUE(found->second) << key.name << " has no comment above it";
  }
}

}  // namespace
}  // namespace kith::config
