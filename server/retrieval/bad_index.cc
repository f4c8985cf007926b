#include "server/retrieval/bad_index.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/retrieval/normalize.h"

namespace kith::retrieval {

absl::Status BadIndex(absl::string_view why) { return Error(Reason::kBadIndex, {why.data(), why.size()}); }

absl::Status Checked(absl::FunctionRef<void()> checks) {
  try {
    checks();
    return absl::OkStatus();
  } catch (const WrongIndex& wrong) {
    return BadIndex(wrong.what());
  }
}

absl::Status InternalAsBadIndex(const absl::Status& status) {
  if (!absl::IsInternal(status)) return status;
  return BadIndex(absl::StrCat("the index is damaged (", status.message(), "); copy the file again, or make it anew"));
}

void Require(bool holds, const char* what) {
  if (!holds) throw WrongIndex(absl::StrCat("the index is damaged: ", what));
}

void RequireFinite(const float* values, size_t count, const char* what) {
  Require(std::all_of(values, values + count, [](float value) { return std::abs(value) <= kMaxNorm; }), what);
}

void RequireFinite(const std::vector<float>& values, const char* what) {
  RequireFinite(values.data(), values.size(), what);
}

void Unsupported() {
  throw WrongIndex(
      "an index of this type is not supported; Flat, SQ, PQ, FastScan, HNSW and IVF of these, behind OPQ or PCA and "
      "with RFlat, can be imported. Train on the frames instead (kith train NAME FRAMES.npy)");
}

}  // namespace kith::retrieval
