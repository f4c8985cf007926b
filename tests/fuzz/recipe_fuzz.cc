// Recipes: as clients name them, and as they are stored. A factory string that gets through is given to faiss, which
// ends the process on many that do not.
#include <string>

#include "server/retrieval/build.h"
#include "server/retrieval/platform.h"
#include "server/retrieval/recipe.h"
#include "server/storage/recipe_json.h"
#include "tests/fuzz/target.h"

namespace kith {
namespace {

using fuzz::Require;

constexpr int64_t kMostRows = 128;  // to build an index on, so that one takes a moment
constexpr int kMostDimension = 8;

retrieval::Recipe RecipeOf(fuzz::Input* input) {
  retrieval::Recipe recipe;
  const uint8_t fields = input->Byte();
  recipe.metric = static_cast<retrieval::Metric>(fields & 3) == static_cast<retrieval::Metric>(3)
                      ? retrieval::Metric::kL2
                      : static_cast<retrieval::Metric>(fields & 3);
  if ((fields & 4) != 0) recipe.nprobe = static_cast<int>(input->Number(4));
  if ((fields & 8) != 0) recipe.k_factor = static_cast<float>(input->Number(2)) / 16;
  if ((fields & 16) != 0) recipe.compression = {static_cast<int64_t>(input->Number(3)), {}, {}};
  if ((fields & 32) != 0) {
    recipe.expansion = {static_cast<int>(input->Number(3)), static_cast<float>(input->Byte()), (fields & 64) != 0};
  }
  std::string& text = (fields & 128) != 0 ? recipe.name : recipe.factory;
  text = std::string(input->Rest());
  return recipe;
}

retrieval::Frames SomeFrames(int64_t rows, int dimension) {
  retrieval::Frames frames{dimension, std::vector<float>(static_cast<size_t>(rows * dimension))};
  uint32_t state = 1;
  for (float& value : frames.values) {
    state = state * 1664525 + 1013904223;
    value = static_cast<float>(state >> 8) / (1 << 24);
  }
  return frames;
}

void Build(const retrieval::Recipe& recipe, int64_t rows, int dimension) {
  const retrieval::Frames frames = SomeFrames(rows, dimension);
  const auto index = retrieval::BuildIndex(recipe, frames.view(), [](auto, int64_t, int64_t) { return true; });
  if (!index.ok()) return;
  const auto params = (*index)->Resolve({});
  Require(params.ok(), "an index that cannot be searched as it is");
  const auto neighbors = (*index)->Search(frames.view().Slice(0, 1), *params);
  Require(neighbors.ok(), "a search that fails");
  for (const int64_t id : neighbors->ids) Require(id >= -1 && id < rows, "an id that there is not");
}

}  // namespace
}  // namespace kith

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kith;  // NOLINT(google-build-using-namespace): the function has to be outside of it
  [[maybe_unused]] static const bool initialized = (retrieval::InitializeFaiss(), true);
  retrieval::SetThreadsOfThisThread(1);
  fuzz::Input input(data, size);
  const uint8_t kind = input.Byte();
  if (kind == 0) {
    const std::string text(input.Rest());
    if (const auto recipe = storage::RecipeFromJson(text); recipe.ok()) {
      const auto again = storage::RecipeFromJson(storage::Text(storage::ToJson(*recipe)));
      fuzz::Require(again.ok(), "a recipe that cannot be read again");
    }
    (void)storage::BuildReportFromJson(text);
    return 0;
  }
  const auto rows = static_cast<int64_t>(input.Number(kind % 2 == 0 ? 1 : 4));
  const auto dimension = static_cast<int>(input.Number(2) % 4097);
  const retrieval::Recipe recipe = RecipeOf(&input);
  if (rows < 1 || dimension < 1 || !retrieval::CheckRecipe(recipe).ok()) return 0;
  const auto plan = retrieval::PlanBuild(recipe, rows, dimension);
  if (plan.ok() && rows <= kMostRows && dimension <= kMostDimension) Build(recipe, rows, dimension);
  return 0;
}
