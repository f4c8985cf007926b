#include "server/rpc/upload.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/rpc/convert.h"

namespace kith::rpc {

absl::Status Upload::Append(const v1::FloatBatch& batch, experiments::MemoryBudget* budget) {
  const auto part = FramesOf(batch, frames_.rows());
  if (!part.ok()) return part.status();
  if (frames_.dimension == 0) frames_.dimension = part->dimension;
  if (part->dimension != frames_.dimension) {
    return Error(Reason::kDimensionMismatch,
                 absl::StrCat("frames: rows of ", part->dimension, " dimensions follow rows of ", frames_.dimension,
                              "; all of a request must have the same"));
  }
  const size_t values = frames_.values.size() + part->values().size();
  if (values > frames_.values.capacity()) {  // it grows as a vector does, by half
    const size_t capacity = std::max(values, frames_.values.capacity() * 3 / 2);
    auto memory = budget->Reserve(static_cast<int64_t>(capacity * sizeof(float)), "this upload");
    if (!memory.ok()) return memory.status();
    frames_.values.reserve(capacity);
    memory_ = *std::move(memory);
  }
  frames_.values.insert(frames_.values.end(), part->values().begin(), part->values().end());
  return absl::OkStatus();
}

std::optional<storage::Request> Upload::RequestOf(const std::string& id, const std::string& what) const {
  if (id.empty()) return std::nullopt;
  Sha256 digest;
  const std::string head = absl::StrCat(what.size(), ":", what, frames_.dimension, ":");
  digest.Update(head.data(), head.size());
  digest.Update(frames_.values.data(), frames_.values.size() * sizeof(float));
  return storage::Request{id, digest.Finish()};
}

}  // namespace kith::rpc
