#include "server/base/fair_shared_mutex.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/wait_until.h"

namespace kith {
namespace {

TEST(FairSharedMutexTest, IsShared) {
  FairSharedMutex mutex;
  const std::shared_lock<FairSharedMutex> first(mutex);
  EXPECT_TRUE(mutex.try_lock_shared());
  mutex.unlock_shared();
}

TEST(FairSharedMutexTest, WhoWaitsForItAloneComesBeforeThoseWhoComeLater) {
  FairSharedMutex mutex;
  bool changed = false;
  mutex.lock_shared();
  std::thread alone([&] {
    const std::lock_guard<FairSharedMutex> lock(mutex);
    changed = true;
  });
  testing::WaitUntil([&] {
    if (!mutex.try_lock_shared()) return true;  // it waits
    mutex.unlock_shared();
    return false;
  });
  std::thread later([&] {
    const std::shared_lock<FairSharedMutex> lock(mutex);
    EXPECT_TRUE(changed);
  });
  EXPECT_FALSE(changed) << "it is still shared";
  mutex.unlock_shared();
  alone.join();
  later.join();
}

}  // namespace
}  // namespace kith
