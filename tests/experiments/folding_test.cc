#include "server/experiments/folding.h"

#include <gtest/gtest.h>

#include "tests/experiments/fixture.h"
#include "tests/support/wait_until.h"

namespace kith::experiments {
namespace {

class FoldingTest : public ExperimentsTest {
 protected:
  void StartFolding(int64_t rows) {
    FoldingOptions options;
    options.rows = rows;
    folding_ = std::make_unique<Folding>(store_.get(), budget_.get(), registry_.get(), options);
  }
  ~FoldingTest() override { folding_.reset(); }

  int64_t RowsInSnapshot(const std::string& name) const { return registry_->Describe(name)->record.generation.rows; }

  std::unique_ptr<Folding> folding_;
};

TEST_F(FoldingTest, ManyAdditionsGoIntoANewSnapshotOfTheSameGeneration) {
  StartFolding(10);
  ASSERT_TRUE(Train("anna", FramesOf(300)).ok());
  const retrieval::Frames added = FramesOf(12, 9);
  ASSERT_TRUE(Add("anna", added.view().Slice(0, 6)).ok());
  ASSERT_TRUE(Add("anna", added.view().Slice(6, 6)).ok());
  testing::WaitUntil([&] { return RowsInSnapshot("anna") == 312; });
  EXPECT_EQ(registry_->Describe("anna")->record.generation.number, 1);
  EXPECT_EQ((*store_->Get("anna")).generation.rows, 312);
  folding_.reset();
  Close();
  Open();
  EXPECT_EQ((*Find("anna"))->index->rows(), 312);
  EXPECT_EQ(Nearest("anna", added.view().Slice(11, 1)).first, 311);
}

TEST_F(FoldingTest, FewAdditionsStayInTheLog) {
  StartFolding(10);
  ASSERT_TRUE(Train("anna", FramesOf(300)).ok());
  ASSERT_TRUE(Add("anna", FramesOf(9, 9).view()).ok());
  ASSERT_TRUE(Train("berta", FramesOf(300)).ok());
  ASSERT_TRUE(Add("berta", FramesOf(10, 9).view()).ok());
  testing::WaitUntil([&] { return RowsInSnapshot("berta") == 310; });  // which came in behind anna
  EXPECT_EQ(RowsInSnapshot("anna"), 300);
}

TEST_F(FoldingTest, WhatWasDueBeforeARestartIsDoneAfterIt) {
  ASSERT_TRUE(Train("anna", FramesOf(300)).ok());
  ASSERT_TRUE(Add("anna", FramesOf(20, 9).view()).ok());
  Close();
  Open();
  StartFolding(10);
  testing::WaitUntil([&] { return RowsInSnapshot("anna") == 320; });
}

}  // namespace
}  // namespace kith::experiments
