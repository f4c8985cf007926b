// Messages from clients: whatever the converters let through is searched and blended with, or goes back unharmed.
#include <cmath>
#include <string>
#include <vector>

#include "server/base/ids.h"
#include "server/retrieval/build.h"
#include "server/retrieval/platform.h"
#include "server/rpc/convert.h"
#include "server/rpc/operation.h"
#include "tests/fuzz/target.h"

namespace kith {
namespace {

using fuzz::Require;

constexpr int kDimension = 4;
constexpr int64_t kRows = 64;

const retrieval::Index& SomeIndex() {
  static const std::unique_ptr<retrieval::Index> index = [] {
    retrieval::InitializeFaiss();
    retrieval::SetThreadsOfThisThread(1);
    retrieval::Frames frames{kDimension, {}};
    for (int64_t i = 0; i < kRows * kDimension; ++i) frames.values.push_back(static_cast<float>(i * 37 % 101));
    retrieval::Recipe recipe;
    recipe.factory = "IVF4,Flat";
    auto built = retrieval::BuildIndex(recipe, frames.view(), [](auto, int64_t, int64_t) { return true; });
    Require(built.ok(), "the index");
    return *std::move(built);
  }();
  return *index;
}

void Run(const v1::FloatBatch& batch, const rpc::BlockOptions& options, bool blend, const config::Limits& limits) {
  const auto queries = rpc::QueriesOf(batch, kDimension, limits);
  const auto params = SomeIndex().Resolve(options.search);
  if (!queries.ok() || !params.ok()) return;
  const auto neighbors = SomeIndex().Search(*queries, *params);
  Require(neighbors.ok(), "a search that fails");
  for (const int64_t id : neighbors->ids) Require(id >= -1 && id < kRows, "an id that there is not");
  if (!blend) return;
  v1::FloatBatch answer;
  float* out = rpc::MakeRoom(batch, queries->rows, &answer);
  SomeIndex().Blend(*queries, *neighbors, options.blend, out);
  for (size_t i = 0; i < queries->size(); ++i) Require(!std::isnan(out[i]), "a NaN of finite frames");
}

template <typename Message>
bool Parse(std::string_view bytes, Message* message) {
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

void Search(std::string_view bytes, const config::Limits& limits) {
  v1::SearchRequest request;
  if (!Parse(bytes, &request)) return;
  const auto options = rpc::SearchBlockOptions(request.experiment(), request.params(), limits);
  if (options.ok()) Run(request.frames(), *options, false, limits);
}

void Expand(std::string_view bytes, const config::Limits& limits) {
  v1::ExpandRequest request;
  if (!Parse(bytes, &request)) return;
  const auto options = rpc::ExpandBlockOptions(request.experiment(), request.params(), limits);
  if (options.ok()) Run(request.frames(), *options, true, limits);
}

void Train(std::string_view bytes) {
  v1::TrainRequest request;
  if (!Parse(bytes, &request)) return;
  (void)CheckExperimentName(request.experiment());
  (void)rpc::CheckRequestId(request.request_id());
  if (const auto recipe = rpc::RecipeOf(request.recipe()); recipe.ok()) {
    (void)retrieval::PlanBuild(*recipe, 1000, kDimension);
  }
  if (const auto frames = rpc::FramesOf(request.frames(), 7); frames.ok()) {
    Require(frames->rows > 0 && frames->dimension > 0, "frames without rows");
    for (const float value : frames->values()) Require(std::isfinite(value), "a value that is not finite");
  }
}

void Tune(std::string_view bytes) {
  v1::TuneRequest request;
  if (Parse(bytes, &request)) (void)rpc::TuneOptionsOf(request);
}

}  // namespace
}  // namespace kith

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::fuzz::Input input(data, size);
  kith::config::Limits limits;
  limits.rows = 128;  // so that one takes a moment
  switch (input.Byte() % 4) {
    case 0:
      kith::Search(input.Rest(), limits);
      break;
    case 1:
      kith::Expand(input.Rest(), limits);
      break;
    case 2:
      kith::Train(input.Rest());
      break;
    default:
      kith::Tune(input.Rest());
  }
  return 0;
}
