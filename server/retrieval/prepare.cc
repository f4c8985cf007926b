#include "server/retrieval/prepare.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/retrieval/expansion.h"
#include "server/retrieval/guard.h"
#include "server/retrieval/kmeans.h"
#include "server/retrieval/normalize.h"

namespace kith::retrieval {
namespace {

absl::StatusOr<std::optional<Frames>> Prepare(const Recipe& recipe, FrameView frames, BuildObserver observe) {
  std::optional<Frames> prepared;
  if (recipe.compression) {
    auto centres = MiniBatchKMeans(frames, *recipe.compression, recipe.seed, [&](int64_t done, int64_t total) {
      return observe(BuildPhase::kCompressing, done, total);
    });
    if (!centres.ok()) return centres.status();
    prepared = *std::move(centres);
    frames = prepared->view();
  }
  if (recipe.expansion) {
    auto expanded = ExpandFrames(frames, *recipe.expansion, [&](int64_t done, int64_t total) {
      return observe(BuildPhase::kExpanding, done, total);
    });
    if (!expanded.ok()) return expanded.status();
    prepared = *std::move(expanded);
  }
  return prepared;
}

}  // namespace

absl::StatusOr<int64_t> PreparedRows(const Recipe& recipe, int64_t rows) {
  if (absl::Status status = CheckRecipe(recipe); !status.ok()) return status;
  if (recipe.compression) {
    if (recipe.compression->centres > rows) {
      return Error(Reason::kBadParameter, absl::StrCat("recipe.compression.centres: ", recipe.compression->centres,
                                                       " is out of range; 1 to ", rows, ", the number of frames"));
    }
    rows = recipe.compression->centres;
  }
  if (recipe.expansion && recipe.expansion->neighbors > rows) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("recipe.expansion.neighbors: ", recipe.expansion->neighbors, " is out of range; 1 to ",
                              rows, ", the number of frames", recipe.compression ? " after compression" : ""));
  }
  return rows;
}

absl::StatusOr<std::optional<Frames>> PrepareFrames(const Recipe& recipe, FrameView frames, BuildObserver observe) {
  if (const auto rows = PreparedRows(recipe, frames.rows); !rows.ok()) return rows.status();
  if (absl::Status status = CheckNorms(frames); !status.ok()) return status;
  absl::StatusOr<std::optional<Frames>> prepared;
  const absl::Status status = Guarded("preparing the frames", [&] {
    prepared = Prepare(recipe, frames, observe);
    return prepared.status();
  });
  if (!status.ok()) return status;
  return prepared;
}

}  // namespace kith::retrieval
