// Between the messages of kith.v1 and what the other rooms speak of. What a client may get wrong in a message is found
// here.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "kith/v1/experiments.pb.h"
#include "kith/v1/retrieval.pb.h"
#include "server/config/config.h"
#include "server/experiments/experiment.h"
#include "server/experiments/trainer.h"
#include "server/retrieval/blend.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/recipe.h"
#include "server/retrieval/search.h"
#include "server/retrieval/tune.h"

namespace kith::rpc {

// A view of the batch's rows, valid as long as the batch. BAD_BATCH: both encodings, a dimension out of
// range, or a length that it does not divide; EMPTY_BATCH: no rows; NOT_FINITE: names the row, counted from
// `first_row`.
absl::StatusOr<retrieval::FrameView> FramesOf(const v1::FloatBatch& batch, int64_t first_row = 0);

// The same for a Search or an Expand: at most limits.rows rows, of the experiment's dimension (DIMENSION_MISMATCH).
absl::StatusOr<retrieval::FrameView> QueriesOf(const v1::FloatBatch& batch, int dimension,
                                               const config::Limits& limits);

// Room for an answer of `rows` rows in the encoding of `request`; the values may be written through the result.
float* MakeRoom(const v1::FloatBatch& request, int64_t rows, v1::FloatBatch* answer);

// Unset fields get their defaults. BAD_PARAMETER for what is out of range whatever the index.
absl::StatusOr<retrieval::SearchOptions> SearchOptionsOf(const v1::SearchParams& params, const config::Limits& limits);
absl::StatusOr<retrieval::BlendParams> BlendParamsOf(const v1::ExpandParams& params);
absl::StatusOr<retrieval::Recipe> RecipeOf(const v1::Recipe& recipe);

// BAD_PARAMETER for an id above 128 bytes. None at all is good.
absl::Status CheckRequestId(const std::string& id);
// Unset fields get their defaults; the metric is not the request's to say. Nothing is checked.
retrieval::TuneOptions TuneOptionsOf(const v1::TuneRequest& request);

// Says DIMENSION_MISMATCH with both numbers.
absl::Status CheckDimension(int given, int expected);

google::protobuf::Timestamp ToProto(absl::Time time);
v1::Experiment ToProto(const experiments::Description& description);
v1::Generation ToProto(const storage::GenerationRecord& record);
v1::Phase ToProto(experiments::Phase phase);
v1::TuneCandidate ToProto(const retrieval::TuneCandidate& candidate);

}  // namespace kith::rpc
