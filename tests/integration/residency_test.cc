// Voices that are not in memory: whoever uses one waits for it, for as long as they have time, and nobody else does.
#include <atomic>
#include <thread>

#include "client/cpp/status.h"
#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

class ResidencyTest : public IntegrationTest {
 protected:
  ResidencyTest() {
    options_.registry.on_loaded = [this](const std::string&, const absl::Status&, double) {
      ++loads_;
      if (hold_) gate_->Wait();
    };
  }
  ~ResidencyTest() override { gate_->Open(); }

  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", frames_);
    Unload("voice");
  }

  void Unload(const std::string& name) {
    const auto unloaded = client().Unload(name);
    ASSERT_TRUE(unloaded.ok()) << unloaded.status();
    EXPECT_FALSE(unloaded->resident);
    EXPECT_EQ(unloaded->bytes, 0);
  }

  // From here on a load does not end before Release.
  void HoldLoads() { hold_ = true; }
  void WaitUntilLoading() {
    WaitUntil([this] { return loads_ > 0; });
  }
  void Release() { gate_->Open(); }

  const retrieval::Frames frames_ = SpeechLike(300, 16);
  std::atomic<int> loads_{0};

 private:
  std::atomic<bool> hold_{false};
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

TEST_F(ResidencyTest, EachUseLoadsAVoice) {
  EXPECT_FALSE(Get("voice").resident) << "being asked about is no use";
  EXPECT_EQ(Search("voice", Rows(frames_, 7, 1)).ids.front(), 7);
  EXPECT_TRUE(Get("voice").resident);
  EXPECT_GT(Get("voice").bytes, 0);
  Unload("voice");
  EXPECT_EQ(Expand("voice", Rows(frames_, 7, 1)).generation, 1);
  EXPECT_TRUE(Get("voice").resident);
  Unload("voice");
  const auto loaded = client().Load("voice");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(loaded->resident);
  EXPECT_EQ(loads_, 3);
}

TEST_F(ResidencyTest, AHundredSearchesAtOnceLoadItOnce) {
  HoldLoads();
  std::vector<std::thread> threads;
  threads.reserve(100);
  std::atomic<int> right{0};
  for (int i = 0; i < 100; ++i) {
    threads.emplace_back([&, i] {
      const auto found = client().Search("voice", View(Rows(frames_, i, 1)));
      if (found.ok() && found->ids.front() == i) ++right;
    });
  }
  WaitUntilLoading();
  Release();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 100);
  EXPECT_EQ(loads_, 1);
}

TEST_F(ResidencyTest, TheBlocksOfAStreamWaitAndComeInTheirOrder) {
  HoldLoads();
  const auto stream = client().StreamSearch("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  for (int i = 0; i < 12; ++i) ASSERT_TRUE((*stream)->Write(i, View(Rows(frames_, i, 1))).ok());
  (*stream)->Close();
  WaitUntilLoading();
  Release();
  for (int i = 0; i < 12; ++i) {
    const auto answer = (*stream)->Read();
    ASSERT_TRUE(answer.ok() && answer->has_value()) << answer.status();
    EXPECT_EQ((*answer)->sequence, i);
    ASSERT_TRUE((*answer)->status.ok()) << (*answer)->status;
    EXPECT_EQ((*answer)->result.ids.front(), i);
  }
  EXPECT_EQ(loads_, 1);
}

TEST_F(ResidencyTest, ACallWhoseTimeIsOverDoesNotWaitForTheLoad) {
  HoldLoads();
  CallOptions hurried;
  hurried.timeout = absl::Milliseconds(50);
  EXPECT_EQ(client().Search("voice", View(frames_), {}, hurried).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(client().Expand("voice", View(frames_), {}, hurried).status().code(), absl::StatusCode::kDeadlineExceeded);
  WaitUntilLoading();
  Release();
  EXPECT_EQ(Search("voice", Rows(frames_, 7, 1)).ids.front(), 7);
  EXPECT_EQ(loads_, 1) << "what they began has gone on";
}

TEST_F(ResidencyTest, ABlockWhoseTimeIsOverIsLateAtOnce) {
  HoldLoads();
  const auto stream = client().StreamExpand("voice", {}, absl::Milliseconds(20));
  ASSERT_TRUE(stream.ok()) << stream.status();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE((*stream)->Write(i, View(Rows(frames_, i, 1))).ok());
    const auto answer = (*stream)->Read();  // the load is held all the while
    ASSERT_TRUE(answer.ok() && answer->has_value()) << answer.status();
    EXPECT_EQ((*answer)->sequence, i);
    EXPECT_THAT((*answer)->status, FailsWith(absl::StatusCode::kDeadlineExceeded, "LATE", "'voice' was not in memory"));
  }
  Release();
  EXPECT_EQ(Search("voice", Rows(frames_, 7, 1)).ids.front(), 7);
}

TEST_F(ResidencyTest, AClientThatIsGoneBeforeTheLoadEndsDoesNoHarm) {
  HoldLoads();
  {
    auto stream = OpenStreamSearch();
    v1::StreamSearchRequest request;
    request.mutable_open()->set_experiment("voice");
    ASSERT_TRUE(stream->Write(request));
    request.Clear();
    FillRaw(frames_, request.mutable_frames());
    ASSERT_TRUE(stream->Write(request));
    WaitUntilLoading();
    stream.GoAway();
  }
  Cancellation cancellation;
  CallOptions call;
  call.cancellation = &cancellation;
  std::thread caller([&] {
    EXPECT_EQ(client().Search("voice", View(frames_), {}, call).status().code(), absl::StatusCode::kCancelled);
  });
  cancellation.Cancel();
  caller.join();
  Release();
  EXPECT_EQ(Search("voice", Rows(frames_, 7, 1)).ids.front(), 7);
}

TEST_F(ResidencyTest, ADrainWaitsForWhoWaitsForALoad) {
  HoldLoads();
  absl::StatusOr<SearchResult> found;
  std::thread caller([&] { found = client().Search("voice", View(Rows(frames_, 7, 1))); });
  WaitUntilLoading();
  std::thread draining([&] { service().server().Drain(std::chrono::minutes(5)); });
  WaitUntil([&] { return ErrorReason(client().List().status()) == "SHUTTING_DOWN"; });
  Release();
  caller.join();
  draining.join();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->ids.front(), 7);
}

class ShortQueueTest : public ResidencyTest {
 protected:
  ShortQueueTest() { options_.engine.queue_rows = 64; }
};

TEST_F(ShortQueueTest, WhoWaitsForALoadTakesPlacesOfTheQueue) {
  HoldLoads();
  absl::StatusOr<SearchResult> found;
  std::thread caller([&] { found = client().Search("voice", View(Rows(frames_, 0, 64))); });
  WaitUntilLoading();
  const absl::Status refused = client().Search("voice", View(Rows(frames_, 7, 1))).status();
  EXPECT_THAT(refused, FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", "64 rows wait"));
  EXPECT_TRUE(RetryDelay(refused).has_value());
  Release();
  caller.join();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->ids.front(), 0);
  EXPECT_EQ(Search("voice", Rows(frames_, 0, 64)).ids.front(), 0) << "the places are free again";
}

TEST_F(ShortQueueTest, ABlockThatIsLateGivesItsPlacesBackThoughTheLoadGoesOn) {
  HoldLoads();
  const auto stream = client().StreamSearch("voice", {}, absl::Milliseconds(20));
  ASSERT_TRUE(stream.ok()) << stream.status();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE((*stream)->Write(i, View(Rows(frames_, 0, 64))).ok());
    const auto answer = (*stream)->Read();
    ASSERT_TRUE(answer.ok() && answer->has_value()) << answer.status();
    EXPECT_THAT((*answer)->status, FailsWith(absl::StatusCode::kDeadlineExceeded, "LATE", "'voice' was not in memory"));
  }
}

TEST_F(ResidencyTest, AdditionsDoNotLoadIt) {
  const auto more = SpeechLike(40, 16, 2);
  const AddResult added = Add("voice", more);
  EXPECT_EQ(added.first_id, 300);
  EXPECT_EQ(added.generation, 1);
  EXPECT_FALSE(Get("voice").resident);
  EXPECT_EQ(Get("voice").rows, 340);
  EXPECT_EQ(loads_, 0);
  EXPECT_EQ(Search("voice", Rows(more, 11, 1)).ids.front(), 311);
  EXPECT_EQ(Add("voice", more).first_id, 340);
}

TEST_F(ResidencyTest, AVoiceThatIsPinnedStaysAndIsThereAfterARestart) {
  const auto pinned = client().Pin("voice");
  ASSERT_TRUE(pinned.ok()) << pinned.status();
  EXPECT_TRUE(pinned->pinned && pinned->resident);
  EXPECT_THAT(client().Unload("voice").status(),
              FailsWith(absl::StatusCode::kFailedPrecondition, "BAD_PARAMETER", "unpin it first"));
  EXPECT_TRUE(Get("voice").resident);
  Restart();
  WaitUntil([&] { return Get("voice").resident; });
  EXPECT_TRUE(Get("voice").pinned);
  const auto unpinned = client().Unpin("voice");
  ASSERT_TRUE(unpinned.ok()) << unpinned.status();
  EXPECT_FALSE(unpinned->pinned);
  Unload("voice");
  Restart();
  EXPECT_FALSE(Get("voice").resident);
}

TEST_F(ResidencyTest, WhatTheConfigurationPreloadsCannotBeUnpinned) {
  Stop();
  options_.registry.preload = {"voice", "not there"};
  Start();
  WaitUntil([&] { return Get("voice").resident; });
  EXPECT_TRUE(Get("voice").pinned);
  EXPECT_THAT(client().Unpin("voice").status(),
              FailsWith(absl::StatusCode::kFailedPrecondition, "BAD_PARAMETER", "preload"));
}

TEST_F(ResidencyTest, WhatThereIsNotIsNotFound) {
  const auto not_found = FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "'nobody'");
  EXPECT_THAT(client().Load("nobody").status(), not_found);
  EXPECT_THAT(client().Unload("nobody").status(), not_found);
  EXPECT_THAT(client().Pin("nobody").status(), not_found);
  EXPECT_THAT(client().Unpin("nobody").status(), not_found);
}

class MemoryTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("a", frames_);
    Train("b", frames_);
    bytes_ = Get("a").bytes;
  }

  // Serves with a budget of so many times what a voice takes.
  void RestartWith(double voices) {
    Stop();
    options_.memory = static_cast<int64_t>(voices * static_cast<double>(bytes_));
    Start();
  }

  const retrieval::Frames frames_ = SpeechLike(3000, 64);  // 750 KiB
  int64_t bytes_ = 0;
};

TEST_F(MemoryTest, TheOneThatWasNotUsedForLongestMakesRoom) {
  Train("c", frames_);
  RestartWith(3.5);  // a load takes the frames once more while it lasts
  const auto use = [this](const std::string& name) {
    EXPECT_EQ(Search(name, Rows(frames_, 7, 1)).ids.front(), 7) << name;
  };
  use("a");
  use("b");
  WaitUntil([this] { return service().Find("b").use_count() == 2; });  // the registry's and ours: its search is over
  use("a");
  use("c");
  EXPECT_TRUE(Get("c").resident);
  EXPECT_FALSE(Get("b").resident);
}

TEST_F(MemoryTest, WhatDoesNotFitBesideAPinnedOneSaysSo) {
  RestartWith(1.9);
  ASSERT_TRUE(client().Pin("a").ok());
  for (const absl::Status& status :
       {client().Search("b", View(frames_)).status(), client().Load("b").status(), client().Pin("b").status()}) {
    EXPECT_THAT(status, FailsWith(absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET", "memory.budget"));
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("loading 'b' takes"));
    EXPECT_TRUE(RetryDelay(status).has_value());
  }
  const auto stream = client().StreamSearch("b");
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Write(1, View(Rows(frames_, 0, 1))).ok());
  const auto answer = (*stream)->Read();
  ASSERT_TRUE(answer.ok() && answer->has_value()) << answer.status();
  EXPECT_EQ(ErrorReason((*answer)->status), "MEMORY_BUDGET");
  ASSERT_TRUE(client().Unpin("a").ok());
  ASSERT_TRUE(client().Unpin("b").ok()) << "it was pinned, though it could not be loaded";
  EXPECT_EQ(Search("b", Rows(frames_, 7, 1)).ids.front(), 7);
  EXPECT_FALSE(Get("a").resident);
}

TEST_F(MemoryTest, WhatNeverFitsSaysSo) {
  RestartWith(0.5);
  EXPECT_THAT(client().Search("a", View(frames_)).status(),
              FailsWith(absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET", "more than the whole budget"));
  MemorySource source(View(frames_));
  EXPECT_THAT(client().Train("a", source).status(),
              FailsWith(absl::StatusCode::kResourceExhausted, "MEMORY_BUDGET", "memory.budget"));
  EXPECT_EQ(Get("a").state, Experiment::State::kReady) << "nothing of it is damaged";
}

TEST_F(MemoryTest, ManyClientsOfMoreVoicesThanFitAreAllAnswered) {
  constexpr int kVoices = 10;
  for (int i = 2; i < kVoices; ++i) Train(std::string(1, static_cast<char>('a' + i)), frames_);
  RestartWith(8);  // what four clients need at once, but not all voices beside it
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 30; ++round) {
        const std::string name(1, static_cast<char>('a' + (3 * i + round) % kVoices));
        const auto found = client().Search(name, View(Rows(frames_, round, 1)));
        EXPECT_TRUE(found.ok()) << found.status();
        if (found.ok() && found->ids.front() == round) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 4 * 30);
}

}  // namespace
}  // namespace kith::testing
