// The frames of an experiment in memory, as they were given: what Expand blends and what a retraining starts from.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/recipe.h"

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// Row i is the frame with id i. Not thread-safe: Index guards it.
class FrameStore {
 public:
  virtual ~FrameStore() = default;

  // Takes over `frames`, which the index has just been given and has put, where it is IVF, into these
  // `lists`.
  virtual void Append(FrameView frames, absl::Span<const int64_t> lists) = 0;

  virtual const float* Row(int64_t id) const = 0;  // until the next Append
  virtual int64_t rows() const = 0;
  virtual int64_t bytes() const = 0;  // of memory, besides the index
};

// Whether MakeFrameStore finds the frames in such an index, as far as its factory string and metric tell.
bool KeepsFramesOnce(absl::string_view factory, Metric metric);

// For the `frames` that `index`, which has to stay, holds. Where its lists are of these very vectors they are read
// there; of all others the store has a copy.
std::unique_ptr<FrameStore> MakeFrameStore(const faiss::Index& index, FrameView frames);

}  // namespace kith::retrieval
