// Kills and failing calls at every named point of server/base/fault.h.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <climits>
#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/error.h"
#include "tests/crash/crash_fixture.h"
#include "tests/crash/voice.h"

namespace kith::crash {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

// What a client may ask for, and points that it is sure to pass: the short form looks at those only. A new operation
// needs a row in kOperations and no more.
struct Operation {
  const char* name;
  absl::Status (*run)(Voice&, Client&);
  std::set<std::string> passes;
};

void PrintTo(const Operation& operation, std::ostream* out) { *out << operation.name; }

const std::set<std::string> kCommit = {"wal-write", "wal-sync", "wal-synced"};
const std::set<std::string> kTraining = {"file-create", "file-write", "file-sync", "folder-make", "folder-sync",
                                         "rename",      "wal-write",  "wal-sync",  "wal-synced",  "folder-remove"};

const std::vector<Operation> kOperations = {
    {"Train", [](Voice& voice, Client& client) { return voice.Train(client); }, kTraining},
    {"Retrain", [](Voice& voice, Client& client) { return voice.Retrain(client); }, {"rename", "wal-sync"}},
    {"Add", [](Voice& voice, Client& client) { return voice.Add(client, 5); }, kCommit},
    // More than SQLite keeps in its log before it writes it into the database.
    {"AddMuch",
     [](Voice& voice, Client& client) { return voice.Add(client, 150'000); },
     {"catalogue-write", "catalogue-sync", "catalogue-synced"}},
    {"Delete", [](Voice& voice, Client& client) { return voice.Delete(client); }, kCommit},
};

const std::vector<std::string> kPoints = {
    "file-create",    "file-write",       "file-sync",          "folder-make", "folder-sync",  "rename",
    "folder-remove",  "wal-write",        "wal-sync",           "wal-synced",  "wal-truncate", "catalogue-write",
    "catalogue-sync", "catalogue-synced", "catalogue-truncate", "shm-write",   "shm-truncate"};

std::vector<std::string> PointsFor(const std::set<std::string>& passes) {
  return IsLong() ? kPoints : std::vector<std::string>(passes.begin(), passes.end());
}

// The short form looks at the first passing of a point. The long one at all of them; where there are very many, as of
// SQLite's pages, at ever fewer.
int Next(int passing) {
  if (!IsLong()) return INT_MAX;
  return passing < 20 ? passing + 1 : passing * 5 / 4;
}

// anna is worked upon; bob has to stay as he is.
class FaultTest : public CrashTest {
 protected:
  // Two generations and an addition.
  void Prepare() {
    Disarm();
    if (!bob_.exists()) {
      ASSERT_TRUE(bob_.Train(client()).ok());
      ASSERT_TRUE(bob_.Add(client(), 3).ok());
    }
    if (!anna_.exists()) {
      ASSERT_TRUE(anna_.Train(client()).ok());
    }
    if (!anna_.exists() || anna_.rows() != 43) {
      ASSERT_TRUE(anna_.Train(client()).ok());
      ASSERT_TRUE(anna_.Add(client(), 3).ok());
    }
  }

  void Check() {
    anna_.Check(client());
    bob_.Check(client());
  }

  Voice anna_{"anna", {}, 1};
  Voice bob_{"bob", {}, 2};
};

class KillAtPointTest : public FaultTest, public ::testing::WithParamInterface<Operation> {
 protected:
  // False where the operation did not come that far.
  bool KillAt(const std::string& order) {
    Arm(order);
    const absl::Status status = GetParam().run(anna_, client());
    Disarm();
    if (status.ok()) return false;
    EXPECT_TRUE(IsInDoubt(status)) << status;
    EXPECT_EQ(server().Wait(), -SIGKILL) << server().err();
    EXPECT_THAT(server().err(), HasSubstr("fault: ")) << "it died of something else";
    return true;
  }
};

TEST_P(KillAtPointTest, NothingIsLostAndNothingHalfDone) {
  ASSERT_NO_FATAL_FAILURE(StartFaulty());
  std::set<std::string> passed;
  for (const std::string& point : PointsFor(GetParam().passes)) {
    for (int passing = 1; passing < INT_MAX; passing = Next(passing)) {
      SCOPED_TRACE(point + " " + std::to_string(passing));
      ASSERT_NO_FATAL_FAILURE(Prepare());
      if (!KillAt(point + ":" + std::to_string(passing))) break;
      passed.insert(point);
      ASSERT_NO_FATAL_FAILURE(StartFaulty());
      Check();
      ExpectNoLeftovers(2);
      ASSERT_FALSE(HasFailure());
    }
  }
  EXPECT_THAT(passed, IsSupersetOf(GetParam().passes));
}

INSTANTIATE_TEST_SUITE_P(Operations, KillAtPointTest, ::testing::ValuesIn(kOperations),
                         [](const auto& info) { return info.param.name; });

class FailAtPointTest : public FaultTest, public ::testing::WithParamInterface<Operation> {
 protected:
  // The operation with the fault. False where the fault did not strike.
  bool FailAt(const std::string& order) {
    const size_t before = server().err().size();
    Arm(order);
    const absl::Status status = GetParam().run(anna_, client());
    // Whatever befalls anna, bob is searched.
    bob_.CheckSearch(client());
    Disarm();
    const bool struck = server().err().find("fault: ", before) != std::string::npos;
    if (!status.ok()) {
      EXPECT_TRUE(struck);
      EXPECT_THAT(status.code(), AnyOf(absl::StatusCode::kUnavailable, absl::StatusCode::kDataLoss)) << status;
      EXPECT_EQ(ErrorReason(status), "STORAGE") << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(data_dir())) << "it does not say where";
    }
    return struck;
  }
};

// Faults that go on until the disk is mended, and ones that come once.
TEST_P(FailAtPointTest, IsAClearErrorAndMendsItself) {
  ASSERT_NO_FATAL_FAILURE(StartFaulty());
  for (const std::string& point : PointsFor(GetParam().passes)) {
    for (const std::string action : {"enospc", "eio", "erofs"}) {
      if (action == "erofs" && !IsLong()) continue;  // as enospc, with another text
      for (int passing = 1; passing < INT_MAX; passing = Next(passing)) {
        const std::string order = absl::StrCat(point, ":", passing, action == "eio" ? "" : "+", "=", action);
        SCOPED_TRACE(order);
        ASSERT_NO_FATAL_FAILURE(Prepare());
        if (!FailAt(order)) break;
        Check();  // without a restart
        ASSERT_FALSE(HasFailure());
      }
    }
  }
  KillAndStart();
  ExpectNoLeftovers(2);
  Check();
}

// Whether the request was done is not known to the server either: a start must not take away what it needs.
TEST_P(FailAtPointTest, AKillAfterTheErrorLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(StartFaulty());
  for (const std::string& point : PointsFor(GetParam().passes)) {
    for (int passing = 1; passing < INT_MAX; passing = Next(passing)) {
      const std::string order = point + ":" + std::to_string(passing) + "+=eio";
      SCOPED_TRACE(order);
      ASSERT_NO_FATAL_FAILURE(Prepare());
      if (!FailAt(order)) break;
      EXPECT_EQ(server().End(SIGKILL), -SIGKILL);
      ASSERT_NO_FATAL_FAILURE(StartFaulty());
      Check();
      ExpectNoLeftovers(2);
      ASSERT_FALSE(HasFailure());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Operations, FailAtPointTest, ::testing::ValuesIn(kOperations),
                         [](const auto& info) { return info.param.name; });

// A start recovers what a kill left behind; it may be killed at that as well.
TEST_F(FaultTest, AKillDuringTheStartLosesNothing) {
  for (const std::string& point : PointsFor({"folder-remove", "folder-sync", "shm-write"})) {
    for (int passing = 1; passing < INT_MAX; passing = Next(passing)) {
      SCOPED_TRACE(point + " " + std::to_string(passing));
      ASSERT_NO_FATAL_FAILURE(StartFaulty());
      ASSERT_NO_FATAL_FAILURE(Prepare());
      Arm("rename");
      EXPECT_TRUE(IsInDoubt(anna_.Train(client())));
      EXPECT_EQ(server().Wait(), -SIGKILL);
      Forget();
      ServerProcess killed(KithdFaulty(), data_dir(), point + ":" + std::to_string(passing));
      if (killed.WaitUntilServing()) break;
      EXPECT_EQ(killed.Wait(), -SIGKILL) << killed.err();
      ASSERT_NO_FATAL_FAILURE(Start());
      Check();
      ExpectNoLeftovers(2);
      ASSERT_FALSE(HasFailure());
    }
    ASSERT_NO_FATAL_FAILURE(Start());
    Check();
  }
}

TEST_F(FaultTest, AKillDuringTheVeryFirstStartLeavesAFolderToStartOn) {
  const std::set<std::string> passes = {"catalogue-write", "catalogue-sync", "folder-sync", "wal-write", "wal-sync"};
  std::set<std::string> passed;
  for (const std::string& point : PointsFor(passes)) {
    for (int passing = 1; passing < INT_MAX; passing = Next(passing)) {
      SCOPED_TRACE(point + " " + std::to_string(passing));
      Forget();
      std::filesystem::remove_all(data_dir());
      ServerProcess killed(KithdFaulty(), data_dir(), point + ":" + std::to_string(passing));
      if (killed.WaitUntilServing()) break;
      passed.insert(point);
      EXPECT_EQ(killed.Wait(), -SIGKILL) << killed.err();
      ASSERT_NO_FATAL_FAILURE(Start());
      Voice voice("voice", {}, 1);
      EXPECT_TRUE(voice.Train(client()).ok());
      ASSERT_NO_FATAL_FAILURE(KillAndStart());
      voice.Check(client());
    }
  }
  EXPECT_THAT(passed, IsSupersetOf(passes));
}

// A start that fails says why, and the next is none the worse.
TEST_F(FaultTest, AFaultDuringTheStartIsAClearError) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(Prepare());
  for (const std::string& point : PointsFor({"folder-remove", "folder-sync", "shm-write"})) {
    SCOPED_TRACE(point);
    EXPECT_EQ(server().End(SIGKILL), -SIGKILL);
    ServerProcess failing(KithdFaulty(), data_dir(), point + ":1+=eio");
    if (!failing.WaitUntilServing()) {
      EXPECT_EQ(failing.Wait(), 1);
      EXPECT_THAT(failing.err(), HasSubstr(data_dir()));
    }
    failing.End(SIGKILL);
    ASSERT_NO_FATAL_FAILURE(Start());
    Check();
  }
}

TEST_F(FaultTest, KithdItselfKnowsNoFaults) {
  ServerProcess server(Kithd(), data_dir(), "any:1+=kill");
  ASSERT_TRUE(server.WaitUntilServing()) << server.err();
  const auto client = server.Connect();
  EXPECT_TRUE(anna_.Train(*client).ok());
  EXPECT_TRUE(anna_.Add(*client, 3).ok());
  EXPECT_EQ(server.End(SIGTERM), 0);
  ServerProcess faulty(KithdFaulty(), data_dir(), "any:1+=kill");
  EXPECT_FALSE(faulty.WaitUntilServing());
  EXPECT_EQ(faulty.Wait(), -SIGKILL);
}

}  // namespace
}  // namespace kith::crash
