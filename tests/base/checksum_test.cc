#include "server/base/checksum.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace kith {
namespace {

std::string Digest(const std::string& text) {
  Sha256 sha;
  sha.Update(text.data(), text.size());
  return sha.Finish();
}

// FIPS 180-4's examples.
TEST(Sha256, KnownDigests) {
  EXPECT_EQ(Sha256().Finish(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, PiecesGiveTheSameAsTheWhole) {
  Sha256 sha;
  sha.Update("a", 1);
  sha.Update(nullptr, 0);
  Sha256 moved = std::move(sha);
  moved.Update("bc", 2);
  EXPECT_EQ(moved.Finish(), Digest("abc"));
}

}  // namespace
}  // namespace kith
