#include "server/rpc/answer_room.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "server/base/status.h"

namespace kith::rpc {
namespace {

TEST(AnswerRoomTest, IsGivenBackWithThePart) {
  AnswerRoom room(100);
  std::optional<AnswerRoom::Part> first = *room.Take(60);
  EXPECT_EQ(ReasonOf(room.Take(41).status()), "OVERLOADED");
  AnswerRoom::Part second = *room.Take(40);  // what was refused takes nothing
  EXPECT_FALSE(room.Take(1).ok());
  first.reset();
  EXPECT_TRUE(room.Take(60).ok());
  AnswerRoom::Part moved = std::move(second);
  EXPECT_FALSE(room.Take(61).ok());
}

TEST(AnswerRoomTest, ALoneAnswerHasRoom) {
  AnswerRoom room(100);
  const auto large = room.Take(1000);
  EXPECT_TRUE(large.ok());
  EXPECT_FALSE(room.Take(1).ok());
}

}  // namespace
}  // namespace kith::rpc
