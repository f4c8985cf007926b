#include "server/rpc/operation.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <utility>

#include "server/base/threads.h"
#include "server/rpc/convert.h"
#include "server/rpc/when_resident.h"

namespace kith::rpc {
namespace {

// A job for the engine but for what is done with its neighbours, and the generation that it searches.
struct PreparedBlock {
  std::shared_ptr<const experiments::Generation> generation;
  engine::Job job;
};

absl::StatusOr<PreparedBlock> Prepare(const Context& context, const BlockOptions& options, const v1::FloatBatch& frames,
                                      std::shared_ptr<const experiments::Generation> generation, int64_t answer_bytes,
                                      BlockCall* call) {
  PreparedBlock block;
  block.generation = std::move(generation);
  call->trace->traffic = block.generation->traffic;
  block.job.index = experiments::IndexOf(block.generation);
  const auto params = block.job.index->Resolve(options.search);
  if (!params.ok()) return params.status();
  block.job.params = *params;
  const auto queries = QueriesOf(frames, block.job.index->dimension(), context.limits->Get());
  if (!queries.ok()) return queries.status();
  call->trace->rows = queries->rows;
  auto answer = context.answers->Take(answer_bytes);
  if (!answer.ok()) return answer.status();
  *call->answer = *std::move(answer);
  block.job.queries = *queries;
  if (call->trace->traffic->live.IsWatched()) call->trace->traffic->live.Note(*queries, call->trace->received);
  block.job.times = &call->trace->job;
  block.job.deadline = call->deadline;
  block.job.source = call->source;
  block.job.here = call->here;
  block.job.cancelled = std::move(call->cancelled);
  block.job.done = std::move(call->done);
  return block;
}

// Where this thread had no rest before the block, others may wait to be read: a worker is to search it meanwhile. One
// worker is no faster than this thread, but after a while those that wait have to get into the queue, which tells them
// if they will be late.
bool MayBeSearchedHere(const engine::Engine& engine) {
  constexpr std::chrono::milliseconds kAWhile(2);
  return TimeAwake() <= (engine.workers() == 1 ? kAWhile : Clock::duration::zero());
}

// Calls `submit(options, generation, call)`: now, or once the experiment is in memory.
template <typename Submit>
absl::Status OnGeneration(const Context& context, const BlockOptions& options, const v1::FloatBatch& frames,
                          BlockCall call, const Submit& submit) {
  const auto resident = context.registry->FindResident(options.experiment);
  if (!resident.ok()) return resident.status();
  if (*resident != nullptr) {
    call.here = MayBeSearchedHere(*context.engine);
    return submit(options, *resident, std::move(call));
  }
  const auto queries = FramesOf(frames);
  if (!queries.ok()) return queries.status();
  call.trace->rows = queries->rows;
  call.trace->traffic = context.registry->TrafficOf(options.experiment);
  return StartWhenLoaded(context, options.experiment, std::min<int64_t>(queries->rows, context.limits->Get().rows),
                         std::move(call), [options, submit](const auto& generation, BlockCall call) {
                           return submit(options, generation, std::move(call));
                         });
}

template <typename Response>
absl::Status SubmitSearch(const Context& context, const BlockOptions& options, const v1::FloatBatch& frames,
                          const std::shared_ptr<const experiments::Generation>& generation, BlockCall call,
                          Response* response) {
  const int64_t answer_bytes = SearchAnswerBytes(frames, options.search.k);
  auto block = Prepare(context, options, frames, generation, answer_bytes, &call);
  if (!block.ok()) return block.status();
  const retrieval::FrameView queries = block->job.queries;
  const int k = block->job.params.k;
  response->set_k(k);
  response->set_generation(block->generation->number);
  // Made by a worker: an answer can have many megabytes. (A once_flag would be a system call for every block.)
  auto room = std::make_shared<std::mutex>();
  block->job.consume = [=](int64_t first_row, retrieval::NeighborsView neighbors) {
    {
      const std::lock_guard<std::mutex> lock(*room);
      if (response->ids().empty()) {
        response->mutable_ids()->Resize(static_cast<int>(queries.rows * k), -1);
        response->mutable_distances()->Resize(static_cast<int>(queries.rows * k), 0);
      }
    }
    std::copy_n(neighbors.ids, neighbors.size(), response->mutable_ids()->mutable_data() + first_row * k);
    std::copy_n(neighbors.distances, neighbors.size(), response->mutable_distances()->mutable_data() + first_row * k);
  };
  return context.engine->Submit(std::move(block->job));
}

template <typename Response>
absl::Status SubmitExpand(const Context& context, const BlockOptions& options, const v1::FloatBatch& frames,
                          const std::shared_ptr<const experiments::Generation>& generation, BlockCall call,
                          Response* response) {
  auto block = Prepare(context, options, frames, generation, ExpandAnswerBytes(frames), &call);
  if (!block.ok()) return block.status();
  response->set_generation(block->generation->number);
  struct Output {
    std::mutex mutex;
    float* values = nullptr;  // made by a worker, under the mutex
    std::atomic<int64_t> passed_through{0};
  };
  auto output = std::make_shared<Output>();
  block->job.consume = [=, &frames, queries = block->job.queries, index = block->job.index, blend = options.blend](
                           int64_t first_row, retrieval::NeighborsView neighbors) {
    {
      const std::lock_guard<std::mutex> lock(output->mutex);
      if (output->values == nullptr) output->values = MakeRoom(frames, queries.rows, response->mutable_frames());
    }
    output->passed_through += index->Blend(queries.Slice(first_row, neighbors.rows), neighbors, blend,
                                           output->values + first_row * queries.dimension);
  };
  block->job.done = [=, done = std::move(block->job.done)](const absl::Status& status) {
    response->set_passthrough_rows(output->passed_through);
    done(status);
  };
  return context.engine->Submit(std::move(block->job));
}

int64_t ValuesOf(const v1::FloatBatch& frames) {
  return static_cast<int64_t>(frames.raw().size() / sizeof(float)) + frames.values_size();
}

}  // namespace

int64_t SearchAnswerBytes(const v1::FloatBatch& frames, int k) {
  constexpr int64_t kNeighborBytes = sizeof(int64_t) + sizeof(float);
  return ValuesOf(frames) / std::max(1, frames.dimension()) * k * kNeighborBytes;
}

int64_t ExpandAnswerBytes(const v1::FloatBatch& frames) {
  return ValuesOf(frames) * static_cast<int64_t>(sizeof(float));
}

absl::StatusOr<BlockOptions> SearchBlockOptions(const std::string& experiment, const v1::SearchParams& params,
                                                const config::Limits& limits) {
  auto search = SearchOptionsOf(params, limits);
  if (!search.ok()) return search.status();
  return BlockOptions{experiment, *search, {}};
}

absl::StatusOr<BlockOptions> ExpandBlockOptions(const std::string& experiment, const v1::ExpandParams& params,
                                                const config::Limits& limits) {
  auto options = SearchBlockOptions(experiment, params.search(), limits);
  if (!options.ok()) return options;
  auto blend = BlendParamsOf(params);
  if (!blend.ok()) return blend.status();
  options->blend = *blend;
  return options;
}

template <typename Response>
absl::Status StartSearch(const Context& context, const BlockOptions& options, const v1::FloatBatch& frames,
                         BlockCall call, Response* response) {
  return OnGeneration(context, options, frames, std::move(call),
                      [&context, &frames, response](const auto& options, const auto& generation, BlockCall call) {
                        return SubmitSearch(context, options, frames, generation, std::move(call), response);
                      });
}

template <typename Response>
absl::Status StartExpand(const Context& context, const BlockOptions& options, const v1::FloatBatch& frames,
                         BlockCall call, Response* response) {
  return OnGeneration(context, options, frames, std::move(call),
                      [&context, &frames, response](const auto& options, const auto& generation, BlockCall call) {
                        return SubmitExpand(context, options, frames, generation, std::move(call), response);
                      });
}

template absl::Status StartSearch(const Context&, const BlockOptions&, const v1::FloatBatch&, BlockCall,
                                  v1::SearchResponse*);
template absl::Status StartSearch(const Context&, const BlockOptions&, const v1::FloatBatch&, BlockCall,
                                  v1::StreamSearchResponse*);
template absl::Status StartExpand(const Context&, const BlockOptions&, const v1::FloatBatch&, BlockCall,
                                  v1::ExpandResponse*);
template absl::Status StartExpand(const Context&, const BlockOptions&, const v1::FloatBatch&, BlockCall,
                                  v1::StreamExpandResponse*);

}  // namespace kith::rpc
