// Between the client's types and the messages of kith.v1. The numbers are copied once each way.
#pragma once

#include "absl/status/statusor.h"
#include "client/cpp/types.h"
#include "kith/v1/experiments.pb.h"
#include "kith/v1/retrieval.pb.h"
#include "kith/v1/types.pb.h"

namespace kith::client {

// BAD_BATCH where the values do not make whole rows.
absl::Status CheckShape(FramesView frames);

// That, and NOT_FINITE with the row as the caller counts it: the first one here is `first_row`.
absl::Status CheckFrames(FramesView frames, int64_t first_row = 0);

void ToProto(FramesView frames, v1::FloatBatch* batch);
void ToProto(const Recipe& recipe, v1::Recipe* proto);
void ToProto(const SearchParams& params, v1::SearchParams* proto);
void ToProto(const ExpandParams& params, v1::ExpandParams* proto);

// Append an answer's rows to what is there already. INTERNAL for an answer that is not of the shape asked for.
absl::Status AppendFrames(const v1::FloatBatch& batch, int64_t rows, Frames* frames);
template <typename Proto>  // v1::SearchResponse or v1::StreamSearchResponse
absl::Status AppendSearch(const Proto& proto, int64_t rows, SearchResult* result);

Experiment FromProto(const v1::Experiment& proto);
Generation FromProto(const v1::Generation& proto);
ServerInfo FromProto(const v1::GetServerInfoResponse& proto);
TrainPhase FromProto(v1::Phase phase);
TuneCandidate FromProto(const v1::TuneCandidate& proto);

}  // namespace kith::client
