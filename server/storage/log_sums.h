// The checksums of SQLite's write-ahead log, and which byte is another where one does not fit.
//
// The file format: https://www.sqlite.org/fileformat2.html#walformat
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"

namespace kith::storage {

using Bytes = absl::Span<const uint8_t>;

// The 32-bit word that starts there.
uint32_t Word(const uint8_t* bytes, bool big_endian);

// Two sums over words, modulo 2^32.
struct Sums {
  uint32_t first = 0;
  uint32_t second = 0;

  // Takes pairs of words: a multiple of 8 bytes.
  void Add(Bytes bytes, bool big_endian);

  bool operator==(const Sums& other) const { return first == other.first && second == other.second; }
};

// As they stand in the file: big-endian.
Sums StoredSums(const uint8_t* bytes);

// What a byte should be.
struct ByteFix {
  size_t position;
  uint8_t byte;
};

// Makes the stored sums what they should be, where one byte is enough. `position` is where they stand.
std::optional<ByteFix> FixOfSums(const uint8_t* stored, size_t position, const Sums& should);

// Each change of one byte with which `bytes` sum to `should` instead of `is`, from the last word to the first. Most
// often there is one at most; a change in the highest bits of a word has the same weight in many places.
std::vector<ByteFix> FixesOfSummed(Bytes bytes, bool big_endian, const Sums& is, const Sums& should);

}  // namespace kith::storage
