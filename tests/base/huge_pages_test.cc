#include "server/base/huge_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace kith {
namespace {

constexpr size_t kPages = 4;

char ValueAt(size_t i) { return static_cast<char>(i * 31 + i / 4096); }

// kPages huge pages' worth of small pages, each byte known.
class Memory {
 public:
  Memory() {
    mapped_ = static_cast<char*>(
        mmap(nullptr, kBytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    madvise(mapped_, kBytes + kHugePage, MADV_NOHUGEPAGE);
    start_ = mapped_ + (kHugePage - reinterpret_cast<uintptr_t>(mapped_) % kHugePage) % kHugePage;
    for (size_t i = 0; i < kBytes; ++i) start_[i] = ValueAt(i);
    madvise(mapped_, kBytes + kHugePage, MADV_HUGEPAGE);  // no others are moved where the system leaves it to each
  }
  ~Memory() { munmap(mapped_, kBytes + kHugePage); }

  absl::Span<const char> Piece(size_t first, size_t size) const { return {start_ + first, size}; }

  bool IsWhole() const {
    for (size_t i = 0; i < kBytes; ++i) {
      if (start_[i] != ValueAt(i)) return false;
    }
    return true;
  }

  // On huge pages, as the system tells it.
  int64_t Huge() const {
    std::ifstream smaps("/proc/self/smaps");
    bool here = false;
    int64_t bytes = 0;
    for (std::string line; std::getline(smaps, line);) {
      uintptr_t begin = 0;
      uintptr_t end = 0;
      char dash = 0;
      std::istringstream range(line);
      if (range >> std::hex >> begin >> dash >> end && dash == '-') {
        here = begin < reinterpret_cast<uintptr_t>(start_) + kBytes && end > reinterpret_cast<uintptr_t>(start_);
      }
      if (here && line.rfind("AnonHugePages:", 0) == 0) bytes += std::stoll(line.substr(14)) * 1024;
    }
    return bytes;
  }

 private:
  static constexpr size_t kBytes = kPages * kHugePage;
  char* mapped_;
  char* start_;
};

TEST(HugePages, WhatIsPutThereKeepsItsBytes) {
  const Memory memory;
  std::vector<absl::Span<const char>> pieces;
  constexpr size_t kPiece = 120000;
  for (size_t first = 0; first < kPages * kHugePage; first += kPiece) {
    pieces.push_back(memory.Piece(first, std::min(kPiece, kPages * kHugePage - first)));
  }
  std::reverse(pieces.begin(), pieces.end());
  const int64_t moved = PutOnHugePages(pieces);
  EXPECT_TRUE(memory.IsWhole());
  EXPECT_GE(memory.Huge(), moved);
  if (moved == 0) GTEST_SKIP() << "this system gives no huge pages when asked";
  EXPECT_EQ(moved, static_cast<int64_t>(kPages * kHugePage));
}

TEST(HugePages, APageWithLittleInItIsLeftAsItIs) {
  const Memory memory;
  const std::vector<absl::Span<const char>> pieces = {
      memory.Piece(0, kHugePage / 2),                               // half of the first
      memory.Piece(kHugePage, kHugePage / 2),                       // and two that fill
      memory.Piece(kHugePage + kHugePage / 2, kHugePage / 4),       // three quarters of the second
      memory.Piece(2 * kHugePage + kHugePage / 2, kHugePage / 2)};  // half of the third
  const int64_t moved = PutOnHugePages(pieces);
  EXPECT_TRUE(memory.IsWhole());
  EXPECT_GE(memory.Huge(), moved);
  if (moved == 0) GTEST_SKIP() << "this system gives no huge pages when asked";
  EXPECT_EQ(moved, static_cast<int64_t>(kHugePage));
}

TEST(HugePages, NothingIsNothing) { EXPECT_EQ(PutOnHugePages({}), 0); }

}  // namespace
}  // namespace kith
