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

// What is asked of a server, about anna.
struct Work {
  Voice& anna;
  Client& client;
  ServerProcess& server;
  const std::string& backup;  // a tar, of which anna remembers the state
};

// What a client may ask for, and points that it is sure to pass: the short form looks at those only. A new operation
// needs a row in kOperations and no more.
struct Operation {
  const char* name;
  absl::Status (*run)(const Work&);
  std::set<std::string> passes;
  int64_t fold_rows = 1'000'000'000;               // storage.fold_rows: folding when it is asked for only
  absl::Status (*prepare)(const Work&) = nullptr;  // before the fault is armed
  bool ends_in_background = false;                 // its failure is told in the log only
};

void PrintTo(const Operation& operation, std::ostream* out) { *out << operation.name; }

const std::set<std::string> kCommit = {"wal-write", "wal-sync", "wal-synced"};
const std::set<std::string> kSnapshot = {"file-create", "file-write", "file-sync", "folder-make", "folder-sync",
                                         "rename",      "wal-write",  "wal-sync",  "wal-synced",  "folder-remove"};

// Adds so much that folding is due, and goes on until that ended, well or not.
absl::Status AddAndFold(const Work& work) {
  const size_t before = work.server.err().size();
  absl::Status status = work.anna.Add(work.client, 60);
  while (status.ok() && work.server.err().find("folded", before) == std::string::npos) {
    status = work.client.Get(work.anna.name()).status();
  }
  return status;
}

absl::Status TakeBackup(const Work& work) {
  return work.client.Backup([](absl::Span<const char>) { return absl::OkStatus(); }).status();
}

const std::vector<Operation> kOperations = {
    {"Train", [](const Work& work) { return work.anna.Train(work.client); }, kSnapshot},
    {"Retrain", [](const Work& work) { return work.anna.Retrain(work.client); }, {"rename", "wal-sync"}},
    {"Add", [](const Work& work) { return work.anna.Add(work.client, 5); }, kCommit},
    // More than SQLite keeps in its log before it writes it into the database.
    {"AddMuch",
     [](const Work& work) { return work.anna.Add(work.client, 150'000); },
     {"catalogue-write", "catalogue-sync", "catalogue-synced"}},
    {"Fold", AddAndFold, kSnapshot, 50, nullptr, true},
    {"Rollback", [](const Work& work) { return work.anna.Rollback(work.client); }, kCommit},
    {"Pin", [](const Work& work) { return work.anna.SetPinned(work.client, true); }, kCommit, 1'000'000'000,
     [](const Work& work) { return work.anna.SetPinned(work.client, false); }},
    {"Delete", [](const Work& work) { return work.anna.Delete(work.client); }, kCommit},
    {"Backup", TakeBackup, {"folder-make"}},
    {"Restore", [](const Work& work) { return work.anna.Restore(work.client, work.backup); }, kSnapshot, 1'000'000'000,
     [](const Work& work) { return work.anna.Add(work.client, 4); }},
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

// anna is worked upon; bob has to stay as he is, or is put back as he is.
class FaultTest : public CrashTest {
 protected:
  void Begin(const Operation& operation) {
    set_config(absl::StrCat("storage: {fold_rows: ", operation.fold_rows, ", fold_bytes: 100GiB}\n"));
    StartFaulty();
  }

  absl::Status Run(absl::Status (*step)(const Work&)) { return step({anna_, client(), server(), backup_}); }

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
    if (!anna_.has_former()) {
      ASSERT_TRUE(anna_.Retrain(client()).ok());
    }
    if (backup_.empty()) TakeBackup();
  }

  void TakeBackup() {
    const auto taken = client().Backup([&](absl::Span<const char> bytes) {
      backup_.append(bytes.data(), bytes.size());
      return absl::OkStatus();
    });
    ASSERT_TRUE(taken.ok()) << taken.status();
    anna_.Remember();
  }

  void Prepare(const Operation& operation) {
    ASSERT_NO_FATAL_FAILURE(Prepare());
    if (operation.prepare == nullptr) return;
    const absl::Status status = Run(operation.prepare);
    ASSERT_TRUE(status.ok()) << status;
  }

  void Check() {
    anna_.Check(client());
    bob_.Check(client());
  }

  void StopAndStart() {
    StopAndLook(2);
    StartFaulty();
  }

  Voice anna_{"anna", {}, 1};
  Voice bob_{"bob", {}, 2};
  std::string backup_;
};

class KillAtPointTest : public FaultTest, public ::testing::WithParamInterface<Operation> {
 protected:
  // False where the operation did not come that far.
  bool KillAt(const std::string& order) {
    Arm(order);
    const absl::Status status = Run(GetParam().run);
    Disarm();
    if (status.ok()) return false;
    EXPECT_TRUE(IsInDoubt(status)) << status;
    EXPECT_EQ(server().Wait(), -SIGKILL) << server().err();
    EXPECT_THAT(server().err(), HasSubstr("fault: ")) << "it died of something else";
    return true;
  }
};

TEST_P(KillAtPointTest, NothingIsLostAndNothingHalfDone) {
  ASSERT_NO_FATAL_FAILURE(Begin(GetParam()));
  std::set<std::string> passed;
  for (const std::string& point : PointsFor(GetParam().passes)) {
    for (int passing = 1; passing < INT_MAX; passing = Next(passing)) {
      SCOPED_TRACE(point + " " + std::to_string(passing));
      ASSERT_NO_FATAL_FAILURE(Prepare(GetParam()));
      if (!KillAt(point + ":" + std::to_string(passing))) break;
      passed.insert(point);
      ExpectSound();
      ASSERT_NO_FATAL_FAILURE(StartFaulty());
      Check();
      ASSERT_NO_FATAL_FAILURE(StopAndStart());
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
    const absl::Status status = Run(GetParam().run);
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
  ASSERT_NO_FATAL_FAILURE(Begin(GetParam()));
  for (const std::string& point : PointsFor(GetParam().passes)) {
    for (const std::string action : {"enospc", "eio", "erofs"}) {
      if (action == "erofs" && !IsLong()) continue;  // as enospc, with another text
      for (int passing = 1; passing < INT_MAX; passing = Next(passing)) {
        const std::string order = absl::StrCat(point, ":", passing, action == "eio" ? "" : "+", "=", action);
        SCOPED_TRACE(order);
        ASSERT_NO_FATAL_FAILURE(Prepare(GetParam()));
        if (!FailAt(order)) break;
        Check();  // without a restart
        ASSERT_FALSE(HasFailure());
        // What failed in the background is tried again after a while.
        if (GetParam().ends_in_background) {
          ASSERT_NO_FATAL_FAILURE(StopAndStart());
        }
      }
    }
  }
  KillAndStart();
  Check();
  StopAndLook(2);
}

// Whether the request was done is not known to the server either: a start must not take away what it needs.
TEST_P(FailAtPointTest, AKillAfterTheErrorLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(Begin(GetParam()));
  for (const std::string& point : PointsFor(GetParam().passes)) {
    for (int passing = 1; passing < INT_MAX; passing = Next(passing)) {
      const std::string order = point + ":" + std::to_string(passing) + "+=eio";
      SCOPED_TRACE(order);
      ASSERT_NO_FATAL_FAILURE(Prepare(GetParam()));
      if (!FailAt(order)) break;
      EXPECT_EQ(server().End(SIGKILL), -SIGKILL);
      ExpectSound();
      ASSERT_NO_FATAL_FAILURE(StartFaulty());
      Check();
      ASSERT_NO_FATAL_FAILURE(StopAndStart());
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
