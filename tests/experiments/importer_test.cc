// Index files read in a process of their own: whatever is in them, this process goes on.
#include "server/experiments/importer.h"

#include <faiss/Index.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "server/base/status.h"
#include "server/retrieval/build.h"
#include "server/retrieval/serialize.h"
#include "tests/experiments/fixture.h"

namespace kith::experiments {
namespace {

using ::testing::HasSubstr;

class ImporterTest : public ExperimentsTest {
 protected:
  ImporterTest() { options_.program = KITH_KITHD; }

  static std::string IndexBytes(const char* factory, int64_t rows) {
    retrieval::Recipe recipe;
    recipe.factory = factory;
    const auto index = retrieval::BuildIndex(recipe, FramesOf(rows).view(), [](auto...) { return true; });
    EXPECT_TRUE(index.ok()) << index.status();
    std::string bytes;
    EXPECT_TRUE(retrieval::WriteIndex(**index, [&](absl::Span<const char> piece) {
                  bytes.append(piece.data(), piece.size());
                  return absl::OkStatus();
                }).ok());
    return bytes;
  }

  IndexFile FileOf(const std::string& bytes) {
    auto folder = store_->MakeScratch();
    EXPECT_TRUE(folder.ok()) << folder.status();
    std::string path = folder->PathOf("upload");
    std::ofstream(path, std::ios::binary) << bytes;
    return {*std::move(folder), path, "given.index", static_cast<int64_t>(bytes.size()), "digest"};
  }

  absl::StatusOr<ImportedIndex> Import(const std::string& bytes) {
    return ReadImport(FileOf(bytes), options_, budget_.get(), nullptr, [](auto...) { return true; });
  }

  // What came through answers within its bounds.
  static void ExpectSound(const ImportedIndex& imported) {
    const retrieval::Frames queries = FramesOf(20, 3);
    if (queries.dimension != imported.index->dimension()) return;
    const auto params = imported.index->Resolve({});
    ASSERT_TRUE(params.ok());
    const auto found = imported.index->Search(queries.view(), *params);
    ASSERT_TRUE(found.ok()) << found.status();
    for (const int64_t id : found->ids) ASSERT_TRUE(id >= -1 && id < imported.index->rows());
  }

  ImportOptions options_;
};

TEST_F(ImporterTest, ReadsWhatFaissWrote) {
  const auto imported = Import(IndexBytes("IVF5,Flat", 200));
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->frames.values, FramesOf(200).values);
  EXPECT_EQ(imported->index->report().factory, "IVF5,Flat");
  ExpectSound(*imported);
}

// A file with a byte changed, or cut, at places all over it.
class DamagedFile : public ImporterTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(DamagedFile, IsRefusedOrHarmless) {
  const std::string whole = IndexBytes(GetParam(), 300);
  std::mt19937 random(7);
  int refused = 0;
  for (int i = 0; i < 30; ++i) {
    std::string bytes = whole;
    // The first bytes and the last are where the sizes stand; between them are mostly vectors.
    const size_t place = i < 20 ? random() % 200 : random() % bytes.size();
    if (i % 5 == 4) {
      bytes.resize(place);
    } else {
      bytes[i % 2 == 0 ? place : bytes.size() - 1 - place] ^= static_cast<char>(1 << random() % 8);
    }
    SCOPED_TRACE(::testing::Message() << "attempt " << i << ", place " << place);
    const auto imported = Import(bytes);
    if (imported.ok()) {
      ExpectSound(*imported);
    } else {
      ++refused;
      EXPECT_THAT(ReasonOf(imported.status()), ::testing::AnyOf("BAD_INDEX", "MEMORY_BUDGET")) << imported.status();
      EXPECT_FALSE(imported.status().message().empty());
    }
  }
  EXPECT_GE(refused, 6);  // those that were cut, at least
}

INSTANTIATE_TEST_SUITE_P(Forms, DamagedFile,
                         ::testing::Values("IVF2,Flat", "HNSW8,Flat", "OPQ4_8,IVF2,PQ4x4np", "IVF2,PQ8x4fs,RFlat"),
                         [](const auto& info) { return "Form" + std::to_string(info.index); });

// A process that faiss ends costs that process only.
TEST_F(ImporterTest, ACrashIsADamagedIndex) {
  const std::string program = folder_ + "/crash";
  std::ofstream(program) << "#!/bin/sh\nkill -ABRT $$\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  options_.program = program;
  const absl::Status status = Import("any").status();
  EXPECT_EQ(ReasonOf(status), "BAD_INDEX");
  EXPECT_THAT(std::string(status.message()), HasSubstr("signal 6"));
}

TEST_F(ImporterTest, AProcessThatGivesNothingIsNotBelieved) {
  options_.program = "/bin/true";
  EXPECT_EQ(ReasonOf(Import("any").status()), "BAD_INDEX");
}

// What the server reads behind a process that a file has taken over is no damage of its own storage.
TEST_F(ImporterTest, WhatAProcessMakesUpIsABadIndex) {
  const std::string program = folder_ + "/forger";
  std::ofstream(program) << "#!/bin/sh\nprintf '2 1' >$3/shape\nprintf 'sixteen.' >$3/frames.f32\n"
                            "printf 'IxF2 and no more' >$3/index.faiss\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  options_.program = program;
  const absl::Status status = Import("any").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ReasonOf(status), "BAD_INDEX");
}

// Each row is one byte of the file.
TEST_F(ImporterTest, ASmallFileOfManyFramesIsRefused) {
  options_.frame_slack = 0;
  const std::string bytes = IndexBytes("PQ1np", 5000);
  EXPECT_TRUE(Import(bytes).ok());
  options_.frame_bytes_per_byte = 1;
  EXPECT_EQ(ReasonOf(Import(bytes).status()), "MEMORY_BUDGET");
}

TEST_F(ImporterTest, MemoryIsLimited) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a build with sanitizers has no limit: they reserve address space without end";
#endif
  options_.memory_slack = 1 << 20;  // not even the program fits into that
  EXPECT_FALSE(Import(IndexBytes("Flat", 10)).ok());
}

TEST_F(ImporterTest, CancellingEndsIt) {
  const auto imported = ReadImport(
      FileOf(IndexBytes("Flat", 10)), options_, budget_.get(), [] { return true; }, [](auto...) { return true; });
  EXPECT_EQ(ReasonOf(imported.status()), "CANCELLED");
}

TEST_F(ImporterTest, LeavesNothingBehind) {
  { (void)Import("nonsense"); }
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/scratch"));
}

TEST_F(ImporterTest, TheNextStartRemovesWhatACrashLeft) {
  Close();
  std::filesystem::create_directories(folder_ + "/scratch/left");
  std::ofstream(folder_ + "/scratch/left/upload") << "half";
  Open();
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/scratch"));
}

}  // namespace
}  // namespace kith::experiments
