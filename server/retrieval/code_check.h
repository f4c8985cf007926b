// Whether the codes of an index that came from a file, and what decodes them, can be trusted.
//
// All throw WrongIndex (bad_index.h).
#pragma once

#include <cstddef>

namespace faiss {
struct Index;
struct ProductQuantizer;
struct ScalarQuantizer;
}  // namespace faiss

namespace kith::retrieval {

// The sizes of a quantiser of vectors of `dimension` values fit, and its tables are finite.
void CheckQuantizer(const faiss::ProductQuantizer& pq, int dimension);
void CheckQuantizer(const faiss::ScalarQuantizer& sq, int dimension);

// The shape of FastScan's codes: blocks of bbs rows, M2 / 2 bytes each.
void CheckFastScan(size_t bbs, size_t M, size_t M2, size_t nbits);

// With other settings than 0 faiss may throw inside an OpenMP region, which ends the process, and only for many queries
// at once.
inline constexpr char kFastScanSettings[] = "its FastScan settings are not the default ones";

// An index that is nothing but codes: Flat, SQ, PQ, FastScan.
void CheckCodes(const faiss::Index& index);

}  // namespace kith::retrieval
