#include "tests/house/include_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace kith::house {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr char kTable[] =
    "Some text with a | in it.\n"
    "| room | what it is for | rooms | libraries |\n"
    "|---|---|---|---|\n"
    "| `server/base` | errors | | `absl/` |\n"
    "| `server/retrieval` | the mathematics | `server/base` | `absl/`, `faiss/`, `cblas.h` |\n"
    "| `client/cpp` | the client | | `absl/` |\n";

// A project of a few files in a folder of its own.
class IncludeRuleTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/include_rule.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    top_ = name;
    Write("docs/architecture.md", kTable);
  }
  void TearDown() override { fs::remove_all(top_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((top_ / path).parent_path());
    std::ofstream(top_ / path) << text;
  }

  std::vector<std::string> Check() { return CheckIncludes(top_, ReadRooms(top_ / "docs/architecture.md")); }

  fs::path top_;
};

TEST_F(IncludeRuleTest, AcceptsOwnRoomRowAndSystem) {
  Write("server/retrieval/a.cc",
        "#include \"server/retrieval/a.h\"\n#include <faiss/IndexFlat.h>\n#include <cblas.h>\n#include <sys/stat.h>\n"
        "#include <unistd.h>\n#include <vector>\n#include \"absl/status/status.h\"\n#include \"server/base/status.h\"\n"
        "// #include <grpcpp/grpcpp.h> in a comment is none\n");
  EXPECT_THAT(Check(), IsEmpty());
}

TEST_F(IncludeRuleTest, FindsARoomThatTheRowDoesNotName) {
  Write("server/base/a.h", "#pragma once\n\n#include \"server/retrieval/index.h\"\n");
  EXPECT_THAT(Check(), ElementsAre(AllOf(StartsWith("server/base/a.h:3: server/base may not include "),
                                         HasSubstr("server/retrieval/index.h"), HasSubstr("include: none"))));
}

TEST_F(IncludeRuleTest, FindsALibraryOfAnotherRow) {
  Write("server/base/a.cc", "#  include <faiss/Index.h>\n#include <cblas.h>  // matrices\n");
  EXPECT_THAT(Check(), ElementsAre(StartsWith("server/base/a.cc:1: server/base may not include faiss/Index.h"),
                                   StartsWith("server/base/a.cc:2: server/base may not include cblas.h")));
}

TEST_F(IncludeRuleTest, FindsALibraryOfNoRow) {
  Write("client/cpp/a.cc", "#include <boost/asio.hpp>\n");
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("client/cpp/a.cc:1: client/cpp may not include boost/asio.hpp")));
}

TEST_F(IncludeRuleTest, FindsTheServerInTheClient) {
  Write("client/cpp/a.cc", "#include \"server/base/status.h\"\n");
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("client/cpp may not include server/base/status.h")));
}

TEST_F(IncludeRuleTest, FindsAnIncludeThatDoesNotStartAtTheTop) {
  Write("server/base/a.cc", "#include \"a.h\"\n#include \"../retrieval/index.h\"\n");
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("a.cc:1: a.h is no header of a room"), HasSubstr("a.cc:2: ")));
}

TEST_F(IncludeRuleTest, FindsAFileOfNoRoom) {
  Write("server/attic/a.cc", "#include <vector>\n");
  EXPECT_THAT(Check(), ElementsAre(HasSubstr("server/attic/a.cc:1: the file is in no room")));
}

TEST(HouseTest, EveryIncludeFollowsTheTableOfRooms) {
  const fs::path top = KITH_PROJECT_DIR;
  const Rooms rooms = ReadRooms(top / "docs/architecture.md");
  ASSERT_GE(rooms.size(), 12u) << "the table of rooms in docs/architecture.md is not readable";
  for (const std::string& fault : CheckIncludes(top, rooms)) ADD_FAILURE() << fault;
}

TEST(HouseTest, EveryRoomOfTheTableIsThere) {
  const fs::path top = KITH_PROJECT_DIR;
  for (const auto& [name, room] : ReadRooms(top / "docs/architecture.md")) {
    EXPECT_TRUE(fs::is_directory(top / name)) << name;
    for (const std::string& other : room.rooms)
      EXPECT_TRUE(fs::is_directory(top / other)) << name << " names " << other;
  }
}

}  // namespace
}  // namespace kith::house
