// A small index and jobs for it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "server/engine/job.h"
#include "server/retrieval/build.h"
#include "tests/support/frames.h"

namespace kith::engine {

inline std::shared_ptr<const retrieval::Index> SmallIndex(int64_t rows = 200, uint64_t seed = 1,
                                                          const std::string& factory = "") {
  const retrieval::Frames frames = testing::SpeechLike(rows, 16, seed);
  retrieval::Recipe recipe;
  recipe.factory = factory;
  auto index = retrieval::BuildIndex(recipe, frames.view(), [](auto, auto, auto) { return true; });
  return *std::move(index);
}

// A job over `queries`, which have to stay; its functions do nothing.
inline Job JobOver(std::shared_ptr<const retrieval::Index> index, retrieval::FrameView queries) {
  Job job;
  job.params = *index->Resolve({});
  job.index = std::move(index);
  job.queries = queries;
  job.consume = [](int64_t, retrieval::NeighborsView) {};
  job.done = [](const absl::Status&) {};
  return job;
}

}  // namespace kith::engine
