// Residency, generations and backups through kith::Client.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace kith {
namespace {

using test::FakeServer;
using test::MakeError;
using ::testing::HasSubstr;

ClientOptions To(const FakeServer& server) { return ClientOptions{server.target()}; }

// The first 512 bytes of what `tar` writes, and so what a backup begins with, then `rest`.
std::string Tar(const std::string& rest) {
  std::string tar(512, '\0');
  tar.replace(0, 16, "catalogue.sqlite");
  tar.replace(257, 5, "ustar");
  return tar + rest;
}

// A file that is gone after the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_(::testing::TempDir() + "kith_manage_" + std::to_string(getpid()) + ".tar") {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

TEST(ManageTest, LoadUnloadPinUnpinGiveTheExperimentAsItIsThen) {
  FakeServer server;
  Client client(To(server));
  EXPECT_FALSE(client.Unload("a")->resident);
  const auto loaded = client.Load("a");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(loaded->resident);
  EXPECT_EQ(loaded->bytes, 1 << 20);
  EXPECT_EQ(loaded->disk_bytes, 2 << 20);
  EXPECT_EQ(loaded->last_used, absl::FromUnixSeconds(1700000002));
  EXPECT_TRUE(client.Pin("a")->pinned);
  EXPECT_FALSE(client.Unpin("a")->pinned);
  for (const absl::Status& status : {client.Load("x").status(), client.Unload("x").status(), client.Pin("x").status(),
                                     client.Unpin("x").status(), client.Generations("x").status()}) {
    EXPECT_EQ(ErrorReason(status), "EXPERIMENT_NOT_FOUND");
  }
}

TEST(ManageTest, TheServerSaysWhatItIsAndWhereTheTimeOfItsBlocksWent) {
  FakeServer server;
  const auto info = Client(To(server)).GetServerInfo();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->version, "0.1.0");
  EXPECT_EQ(info->faiss, "1.7.3");
  EXPECT_EQ(info->instruction_set, "AVX-512");
  EXPECT_EQ(info->blas, "OpenBLAS");
  EXPECT_EQ(info->search_threads, 2);
  EXPECT_EQ(info->started, absl::FromUnixSeconds(1700000000));
  EXPECT_EQ(info->memory_budget_bytes, 1 << 30);
  EXPECT_EQ(info->memory_reserved_bytes, 1 << 20);
  EXPECT_EQ(info->experiments, 3);
  EXPECT_EQ(info->resident_experiments, 1);
  ASSERT_EQ(info->histograms.size(), 1);
  const Histogram& histogram = info->histograms[0];
  EXPECT_EQ(histogram.name, "kith_batch_rows");
  EXPECT_THAT(histogram.bounds, ::testing::ElementsAre(16, 32));
  EXPECT_THAT(histogram.counts, ::testing::ElementsAre(4, 2, 1));
  EXPECT_EQ(histogram.sum, 160);
  EXPECT_EQ(histogram.count, 7);
}

TEST(ManageTest, WhatTheServerLogsIsToldAndChanged) {
  FakeServer server;
  Client client(To(server));
  EXPECT_EQ(client.GetServerInfo()->log_level, "info");
  EXPECT_EQ(*client.SetLogLevel("debug"), "info");
  EXPECT_EQ(client.GetServerInfo()->log_level, "debug");
}

TEST(ManageTest, ADegradedVoiceThatWasNotUsedYetSaysSo) {
  FakeServer server;
  server.experiments.degraded = "generation 3 is damaged";
  server.experiments.used = false;
  const auto experiment = Client(To(server)).Get("a");
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_EQ(experiment->state, Experiment::State::kDegraded);
  EXPECT_EQ(StateName(experiment->state), "degraded");
  EXPECT_EQ(experiment->message, "generation 3 is damaged");
  EXPECT_EQ(experiment->last_used, absl::InfinitePast());
}

TEST(ManageTest, GenerationsComeAsTheServerHasThem) {
  FakeServer server;
  const auto generations = Client(To(server)).Generations("a");
  ASSERT_TRUE(generations.ok()) << generations.status();
  ASSERT_EQ(generations->size(), 2u);
  const Generation& first = generations->at(0);
  EXPECT_EQ(first.number, 3);
  EXPECT_TRUE(first.current);
  EXPECT_EQ(first.message, "");
  EXPECT_EQ(first.rows, 7253);
  EXPECT_EQ(first.dimension, 768);
  EXPECT_EQ(first.recipe.name, "auto");
  EXPECT_EQ(first.recipe.metric, Metric::kCosine);
  EXPECT_EQ(first.factory, "IVF185,Flat");
  EXPECT_EQ(first.nlist, 185);
  EXPECT_EQ(first.nprobe, 12);
  EXPECT_EQ(first.recall_at_8, 0.967);
  EXPECT_EQ(first.disk_bytes, 2 << 20);
  EXPECT_EQ(first.created, absl::FromUnixSeconds(1700000000));
  EXPECT_EQ(first.updated, absl::FromUnixSeconds(1700000001));
  EXPECT_FALSE(generations->at(1).current);
  EXPECT_EQ(generations->at(1).message, "index.faiss is damaged");
}

TEST(ManageTest, RollbackNamesAGenerationOnlyWhereOneIsGiven) {
  FakeServer server;
  Client client(To(server));
  EXPECT_EQ(client.Rollback("a")->generation, 2);
  EXPECT_FALSE(server.experiments.rollback_request.has_to());
  EXPECT_EQ(client.Rollback("a", 7)->generation, 7);
  ASSERT_TRUE(client.Rollback("a", 0).ok());
  EXPECT_TRUE(server.experiments.rollback_request.has_to());
}

TEST(ManageTest, ARollbackIsNotMadeTwiceWhereALoadIs) {
  FakeServer server;
  std::atomic<int> calls{0};
  server.experiments.before = [&] {
    return ++calls % 2 == 1 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection lost") : grpc::Status::OK;
  };
  Client client(To(server));
  EXPECT_EQ(client.Rollback("a").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(calls, 1);
  calls = 0;
  EXPECT_TRUE(client.Load("a").ok());
  EXPECT_EQ(calls, 2);
}

TEST(ManageTest, BackupGivesTheBytesInOrderAndWhatTheyHold) {
  FakeServer server;
  std::string got;
  const auto info = Client(To(server)).Backup([&](absl::Span<const char> bytes) {
    got.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  });
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(got, server.experiments.backup);
  EXPECT_EQ(info->experiments, 3);
  EXPECT_EQ(info->generations, 5);
  EXPECT_EQ(info->bytes, static_cast<int64_t>(got.size()));
  EXPECT_TRUE(info->left_out.empty());
}

TEST(ManageTest, ABackupNamesWhatIsNotInIt) {
  FakeServer server;
  server.experiments.left_out.resize(1);
  server.experiments.left_out[0].set_experiment("anna");
  server.experiments.left_out[0].set_generation(3);
  server.experiments.left_out[0].set_message("index.faiss is damaged");
  const auto info = Client(To(server)).Backup([](absl::Span<const char>) { return absl::OkStatus(); });
  ASSERT_TRUE(info.ok()) << info.status();
  ASSERT_EQ(info->left_out.size(), 1u);
  EXPECT_EQ(info->left_out[0].experiment, "anna");
  EXPECT_EQ(info->left_out[0].generation, 3);
  EXPECT_EQ(info->left_out[0].message, "index.faiss is damaged");
}

TEST(ManageTest, ABackupThatIsCutShortOrCannotBeWrittenIsAnError) {
  FakeServer server;
  const ByteSink take = [](absl::Span<const char>) { return absl::OkStatus(); };
  const ByteSink full = [](absl::Span<const char>) { return absl::ResourceExhaustedError("b.tar: no space"); };
  EXPECT_EQ(Client(To(server)).Backup(full).status().message(), "b.tar: no space");
  server.experiments.backup_bytes = 100;
  EXPECT_EQ(Client(To(server)).Backup(take).status().message(), "the server sent 18 bytes instead of 100");
  server.experiments.before = [] { return MakeError(grpc::StatusCode::UNAVAILABLE, "STORAGE", "the disk fails"); };
  EXPECT_EQ(Client(To(server)).Backup(take).status().message(), "the disk fails");
}

TEST(ManageTest, RestoreSendsTheFileAndGivesWhatWasPutIn) {
  FakeServer server;
  const std::string content = Tar(std::string(200000, 'x'));
  const TemporaryFile file(content);
  RestoreOptions options;
  std::vector<int64_t> seen;
  options.on_bytes = [&](int64_t bytes) { seen.push_back(bytes); };
  Client client(To(server));
  const auto restored = client.RestoreFile(file.path(), options);
  ASSERT_TRUE(restored.ok()) << restored.status();
  ASSERT_EQ(restored->size(), 1u);
  EXPECT_EQ(restored->at(0).name, "a");
  EXPECT_EQ(server.experiments.restored, content);
  EXPECT_FALSE(server.experiments.replace);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), static_cast<int64_t>(content.size()));
  options.replace = true;
  ASSERT_TRUE(client.RestoreFile(file.path(), options).ok());
  EXPECT_TRUE(server.experiments.replace);
}

TEST(ManageTest, WhatIsNoTarIsNotSent) {
  FakeServer server;
  server.experiments.restored = "nothing came";
  Client client(To(server));
  const auto message = [&](const std::string& path) {
    const absl::Status status = client.RestoreFile(path).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
    return std::string(status.message());
  };
  EXPECT_THAT(message(::testing::TempDir() + "kith-nowhere.tar"), HasSubstr("cannot be opened"));
  EXPECT_THAT(message(::testing::TempDir()), HasSubstr("no plain file; give a tar"));
  EXPECT_THAT(message(TemporaryFile("").path()), HasSubstr("is empty; give a tar that kith backup wrote"));
  EXPECT_THAT(message(TemporaryFile("abc").path()), HasSubstr("is no tar; give"));
  EXPECT_THAT(message(TemporaryFile(std::string(5000, 'x')).path()), HasSubstr("is no tar; give"));
  EXPECT_THAT(message(TemporaryFile("\x1f\x8b" + std::string(5000, 'x')).path()), HasSubstr("is compressed"));
  EXPECT_EQ(server.experiments.restored, "nothing came");
}

TEST(ManageTest, ARestoreThatIsRefusedTellsWhy) {
  FakeServer server;
  server.experiments.before = [] {
    return MakeError(grpc::StatusCode::ALREADY_EXISTS, "BAD_PARAMETER", "a and b exist");
  };
  const TemporaryFile file(Tar(std::string(5000000, 'x')));
  const auto restored = Client(To(server)).RestoreFile(file.path());
  EXPECT_EQ(restored.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(restored.status().message(), "a and b exist");
}

TEST(ManageTest, AFailingSourceCancelsTheRestoreAndItsErrorIsTold) {
  FakeServer server;
  std::promise<void> began;
  server.experiments.before = [&] {
    began.set_value();
    return grpc::Status::OK;
  };
  server.experiments.restore_hangs = true;
  const ByteSource broken = [&](absl::Span<char>) -> absl::StatusOr<size_t> {
    began.get_future().wait();
    return absl::DataLossError("b.tar: cannot be read");
  };
  EXPECT_EQ(Client(To(server)).Restore(broken).status().message(), "b.tar: cannot be read")
      << "the server ends it when it is cancelled, and never where it was closed in order";
}

}  // namespace
}  // namespace kith
