#include "server/storage/log_sums.h"

namespace kith::storage {
namespace {

// Makes the big-endian word at `bytes` what it should be, where one byte is enough; `position` is where it stands.
std::optional<ByteFix> FixOfWord(const uint8_t* bytes, size_t position, uint32_t should) {
  std::optional<ByteFix> fix;
  for (size_t i = 0; i < 4; ++i) {
    const auto byte = static_cast<uint8_t>(should >> (24 - 8 * i));
    if (bytes[i] == byte) continue;
    if (fix) return std::nullopt;
    fix = ByteFix{position + i, byte};
  }
  return fix;
}

// Adds the bytes of a word that make the sums grow by `growth`, where each unit of the word adds `weight`.
void AddFixes(Bytes bytes, size_t position, bool big_endian, const Sums& weight, const Sums& growth,
              std::vector<ByteFix>* fixes) {
  const uint32_t is = Word(&bytes[position], big_endian);
  for (size_t i = 0; i < 4; ++i) {
    const size_t shift = big_endian ? 24 - 8 * i : 8 * i;
    for (uint32_t flips = 1; flips < 256; ++flips) {
      const uint32_t difference = (is ^ flips << shift) - is;
      if (difference * weight.first == growth.first && difference * weight.second == growth.second) {
        fixes->push_back({position + i, static_cast<uint8_t>(bytes[position + i] ^ flips)});
      }
    }
  }
}

}  // namespace

uint32_t Word(const uint8_t* bytes, bool big_endian) {
  return big_endian ? uint32_t{bytes[0]} << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3]
                    : uint32_t{bytes[3]} << 24 | bytes[2] << 16 | bytes[1] << 8 | bytes[0];
}

void Sums::Add(Bytes bytes, bool big_endian) {
  for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    first += Word(&bytes[i], big_endian) + second;
    second += Word(&bytes[i + 4], big_endian) + first;
  }
}

Sums StoredSums(const uint8_t* bytes) { return {Word(bytes, true), Word(bytes + 4, true)}; }

std::optional<ByteFix> FixOfSums(const uint8_t* stored, size_t position, const Sums& should) {
  const Sums is = StoredSums(stored);
  if (is.second == should.second) return FixOfWord(stored, position, should.first);
  if (is.first == should.first) return FixOfWord(stored + 4, position + 4, should.second);
  return std::nullopt;
}

std::vector<ByteFix> FixesOfSummed(Bytes bytes, bool big_endian, const Sums& is, const Sums& should) {
  const Sums growth = {should.first - is.first, should.second - is.second};
  std::vector<ByteFix> fixes;
  Sums even = {1, 1};  // the weights of a pair's words, from the last pair to the first
  Sums odd = {0, 1};
  for (size_t position = bytes.size(); position >= 8;) {
    position -= 8;
    AddFixes(bytes, position, big_endian, even, growth, &fixes);
    AddFixes(bytes, position + 4, big_endian, odd, growth, &fixes);
    for (Sums* weight : {&even, &odd}) {
      weight->first += weight->second;
      weight->second += weight->first;
    }
  }
  return fixes;
}

}  // namespace kith::storage
