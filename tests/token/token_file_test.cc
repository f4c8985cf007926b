#include "common/token/token_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace kith::token {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class TokenFileTest : public ::testing::Test {
 protected:
  TokenFileTest() {
    std::string name = ::testing::TempDir() + "kith-token.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) abort();
    folder_ = name;
    path_ = (folder_ / "tokens").string();
  }
  ~TokenFileTest() override { fs::remove_all(folder_); }

  static Entry MakeEntry(const std::vector<std::string>& patterns = {"*"}, const std::string& comment = "") {
    const Token token = *NewToken();
    return {token.id, *HashOf(token.secret), *ParseScopes("read,write"), patterns, comment};
  }
  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  mode_t Mode() const {
    struct stat file {};
    EXPECT_EQ(stat(path_.c_str(), &file), 0);
    return file.st_mode & 07777;
  }

  fs::path folder_;
  std::string path_;
};

TEST_F(TokenFileTest, WhatIsWrittenIsRead) {
  const Entry odd = MakeEntry({"a b", "50%,#", "Zo\xc3\xab*", "\ttab"}, "Bob's, # 2");
  ASSERT_TRUE(AddEntry(path_, MakeEntry()).ok());
  ASSERT_TRUE(AddEntry(path_, odd).ok());
  const auto entries = ReadEntries(path_);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[1].id, odd.id);
  EXPECT_EQ((*entries)[1].hash.hash, odd.hash.hash);
  EXPECT_EQ((*entries)[1].hash.salt, odd.hash.salt);
  EXPECT_TRUE((*entries)[1].scopes == odd.scopes);
  EXPECT_EQ((*entries)[1].patterns, odd.patterns);
  EXPECT_EQ((*entries)[1].comment, odd.comment);
}

TEST_F(TokenFileTest, IsForItsOwnerOnlyUnlessSomebodyMadeItOtherwise) {
  ASSERT_TRUE(AddEntry(path_, MakeEntry()).ok());
  EXPECT_EQ(Mode(), 0600u);
  ASSERT_EQ(chmod(path_.c_str(), 0640), 0);
  ASSERT_TRUE(AddEntry(path_, MakeEntry()).ok());
  EXPECT_EQ(Mode(), 0640u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1) << "something is left over";
}

TEST_F(TokenFileTest, RemovingLeavesAllOtherLines) {
  const Entry first = MakeEntry();
  const Entry second = MakeEntry({"anna"}, "kept");
  std::ofstream(path_) << "# by hand\n\n" << EntryLine(first) << "  # indented\n" << EntryLine(second);
  ASSERT_TRUE(RemoveEntry(path_, first.id).ok());
  EXPECT_EQ(Text(), "# by hand\n\n  # indented\n" + EntryLine(second));
  EXPECT_TRUE(absl::IsNotFound(RemoveEntry(path_, first.id)));
  EXPECT_EQ(Text(), "# by hand\n\n  # indented\n" + EntryLine(second));
}

TEST_F(TokenFileTest, ALinkStaysALink) {
  fs::create_directory(folder_ / "real");
  fs::create_symlink(folder_ / "real" / "file", path_);
  std::ofstream(folder_ / "real" / "file") << "";
  ASSERT_TRUE(AddEntry(path_, MakeEntry()).ok());
  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_EQ(ReadEntries(path_)->size(), 1u);
}

TEST_F(TokenFileTest, ManyAtOnceLoseNothing) {
  constexpr size_t kThreads = 8;
  constexpr size_t kEach = 5;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      for (size_t j = 0; j < kEach; ++j) EXPECT_TRUE(AddEntry(path_, MakeEntry()).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ReadEntries(path_)->size(), kThreads * kEach);
}

TEST_F(TokenFileTest, DamageNamesTheLineAndIsNotWrittenOver) {
  const std::string good = EntryLine(MakeEntry());
  for (const std::string& bad :
       {std::string("anna\n"), good.substr(1), good.substr(0, good.size() - 3) + "\n", "x" + good.substr(1),
        std::string(good).replace(good.find("read"), 4, "rood"), std::string(good).replace(good.find(" *"), 2, " a,,b"),
        std::string(good).replace(good.find(" *"), 2, " a%2"), std::string(good).replace(good.find(" *"), 2, " a%zz"),
        std::string(good).replace(good.find(" *"), 2, " * more"), good + good}) {
    const std::string text = "# first\n" + bad;
    std::ofstream(path_) << text;
    const std::string message(ReadEntries(path_).status().message());
    EXPECT_THAT(message, StartsWith(path_ + ":" + (bad == good + good ? "3" : "2") + ": ")) << bad;
    EXPECT_FALSE(AddEntry(path_, MakeEntry()).ok()) << bad;
    EXPECT_EQ(Text(), text);
  }
}

TEST_F(TokenFileTest, AFileThatIsNotThereIsNamed) {
  EXPECT_THAT(std::string(ReadEntries(path_).status().message()), AllOf(HasSubstr(path_), HasSubstr("No such file")));
  EXPECT_TRUE(absl::IsNotFound(RemoveEntry(path_, "0123456789abcdef")));
  EXPECT_THAT(std::string(AddEntry((folder_ / "no" / "tokens").string(), MakeEntry()).message()),
              HasSubstr("its folder"));
}

TEST_F(TokenFileTest, HasNoSecret) {
  const Token token = *NewToken();
  ASSERT_TRUE(AddEntry(path_, {token.id, *HashOf(token.secret), Scope::kRead, {"*"}, ""}).ok());
  EXPECT_THAT(Text(), AllOf(HasSubstr(token.id), Not(HasSubstr(token.secret))));
}

}  // namespace
}  // namespace kith::token
