#include "client/cpp/convert.h"

#include <cstring>

#include "absl/base/config.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/status.h"

#ifndef ABSL_IS_LITTLE_ENDIAN
#error "FloatBatch.raw is little-endian, and so must this processor be"
#endif

namespace kith::client {
namespace {

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

void ToProto(const Compression& compression, v1::Compression* proto) {
  proto->set_centres(compression.centres);
  if (compression.batch_size) proto->set_batch_size(*compression.batch_size);
  if (compression.iterations) proto->set_iterations(*compression.iterations);
}

void ToProto(const Expansion& expansion, v1::Expansion* proto) {
  proto->set_neighbors(expansion.neighbors);
  if (expansion.alpha) proto->set_alpha(*expansion.alpha);
  proto->set_unit_norm(expansion.unit_norm);
}

Compression FromProto(const v1::Compression& proto) {
  Compression compression;
  compression.centres = proto.centres();
  if (proto.has_batch_size()) compression.batch_size = proto.batch_size();
  if (proto.has_iterations()) compression.iterations = proto.iterations();
  return compression;
}

Expansion FromProto(const v1::Expansion& proto) {
  Expansion expansion;
  expansion.neighbors = proto.neighbors();
  if (proto.has_alpha()) expansion.alpha = proto.alpha();
  expansion.unit_norm = proto.unit_norm();
  return expansion;
}

Metric FromProto(v1::Metric metric) {
  switch (metric) {
    case v1::METRIC_INNER_PRODUCT:
      return Metric::kInnerProduct;
    case v1::METRIC_COSINE:
      return Metric::kCosine;
    default:
      return Metric::kL2;
  }
}

Recipe FromProto(const v1::Recipe& proto) {
  Recipe recipe;
  recipe.name = proto.name();
  recipe.factory = proto.factory();
  recipe.metric = FromProto(proto.metric());
  if (proto.has_nprobe()) recipe.nprobe = proto.nprobe();
  if (proto.has_k_factor()) recipe.k_factor = proto.k_factor();
  if (proto.has_seed()) recipe.seed = proto.seed();
  if (proto.has_compression()) recipe.compression = FromProto(proto.compression());
  if (proto.has_expansion()) recipe.expansion = FromProto(proto.expansion());
  return recipe;
}

absl::Status BadAnswer(const std::string& what) {
  return absl::InternalError(absl::StrCat("the server's answer is damaged: ", what));
}

}  // namespace

absl::Status CheckShape(FramesView frames) {
  if (frames.dimension < 1) {
    return LocalError(absl::StatusCode::kInvalidArgument, "BAD_BATCH",
                      absl::StrCat("the frames' dimension is ", frames.dimension, "; it must be at least 1"));
  }
  if (frames.values.size() % frames.dimension != 0) {
    return LocalError(absl::StatusCode::kInvalidArgument, "BAD_BATCH",
                      absl::StrCat(frames.values.size(), " values do not make whole rows of ", frames.dimension));
  }
  return absl::OkStatus();
}

absl::Status CheckFrames(FramesView frames, int64_t first_row) {
  if (absl::Status status = CheckShape(frames); !status.ok()) return status;
  const int64_t row = FirstRowNotFinite(frames);
  if (row < 0) return absl::OkStatus();
  return LocalError(absl::StatusCode::kInvalidArgument, "NOT_FINITE",
                    absl::StrCat("frames: row ", first_row + row, " has a NaN or an infinity"));
}

void ToProto(FramesView frames, v1::FloatBatch* batch) {
  batch->set_dimension(frames.dimension);
  batch->set_raw(frames.values.data(), frames.values.size() * sizeof(float));
}

void ToProto(const Recipe& recipe, v1::Recipe* proto) {
  proto->set_name(recipe.name);
  proto->set_factory(recipe.factory);
  switch (recipe.metric) {
    case Metric::kL2:
      proto->set_metric(v1::METRIC_L2);
      break;
    case Metric::kInnerProduct:
      proto->set_metric(v1::METRIC_INNER_PRODUCT);
      break;
    case Metric::kCosine:
      proto->set_metric(v1::METRIC_COSINE);
      break;
  }
  if (recipe.nprobe) proto->set_nprobe(*recipe.nprobe);
  if (recipe.k_factor) proto->set_k_factor(*recipe.k_factor);
  if (recipe.seed) proto->set_seed(*recipe.seed);
  if (recipe.compression) ToProto(*recipe.compression, proto->mutable_compression());
  if (recipe.expansion) ToProto(*recipe.expansion, proto->mutable_expansion());
}

void ToProto(const SearchParams& params, v1::SearchParams* proto) {
  if (params.k) proto->set_k(*params.k);
  if (params.nprobe) proto->set_nprobe(*params.nprobe);
  if (params.k_factor) proto->set_k_factor(*params.k_factor);
}

void ToProto(const ExpandParams& params, v1::ExpandParams* proto) {
  ToProto(params.search, proto->mutable_search());
  proto->set_weighting(params.weighting == Weighting::kAlpha ? v1::WEIGHTING_ALPHA : v1::WEIGHTING_INVERSE_SQUARE);
  if (params.alpha) proto->set_alpha(*params.alpha);
  if (params.index_rate) proto->set_index_rate(*params.index_rate);
  proto->set_include_query(params.include_query);
  proto->set_unit_norm(params.unit_norm);
}

absl::Status AppendFrames(const v1::FloatBatch& batch, int64_t rows, Frames* frames) {
  const size_t count = batch.raw().size() / sizeof(float);
  if (batch.raw().size() % sizeof(float) != 0 || batch.dimension() < 1 ||
      static_cast<int64_t>(count) != rows * batch.dimension()) {
    return BadAnswer(absl::StrCat(batch.raw().size(), " bytes for ", rows, " rows of ", batch.dimension()));
  }
  const size_t before = frames->values.size();
  frames->dimension = batch.dimension();
  frames->values.resize(before + count);
  if (count > 0) std::memcpy(frames->values.data() + before, batch.raw().data(), batch.raw().size());
  return absl::OkStatus();
}

template <typename Proto>
absl::Status AppendSearch(const Proto& proto, int64_t rows, SearchResult* result) {
  if (proto.k() < 1 || proto.ids_size() != rows * proto.k() || proto.distances_size() != proto.ids_size()) {
    return BadAnswer(absl::StrCat(proto.ids_size(), " ids and ", proto.distances_size(), " distances for ", rows,
                                  " rows of ", proto.k()));
  }
  result->k = proto.k();
  result->generation = proto.generation();
  result->ids.insert(result->ids.end(), proto.ids().begin(), proto.ids().end());
  result->distances.insert(result->distances.end(), proto.distances().begin(), proto.distances().end());
  return absl::OkStatus();
}

template absl::Status AppendSearch(const v1::SearchResponse&, int64_t, SearchResult*);
template absl::Status AppendSearch(const v1::StreamSearchResponse&, int64_t, SearchResult*);

Experiment FromProto(const v1::Experiment& proto) {
  Experiment result;
  result.name = proto.name();
  switch (proto.state()) {
    case v1::Experiment::STATE_TRAINING:
      result.state = Experiment::State::kTraining;
      break;
    case v1::Experiment::STATE_READY:
      result.state = Experiment::State::kReady;
      break;
    case v1::Experiment::STATE_FAILED:
      result.state = Experiment::State::kFailed;
      break;
    case v1::Experiment::STATE_DEGRADED:
      result.state = Experiment::State::kDegraded;
      break;
    default:
      break;
  }
  result.message = proto.message();
  result.training = proto.training();
  result.rows = proto.rows();
  result.dimension = proto.dimension();
  result.metric = FromProto(proto.metric());
  result.recipe = proto.recipe();
  result.factory = proto.factory();
  result.nlist = proto.nlist();
  result.nprobe = proto.nprobe();
  result.k_factor = proto.k_factor();
  result.seed = proto.seed();
  result.generation = proto.generation();
  result.recall_at_8 = proto.recall_at_8();
  result.bytes = proto.bytes();
  result.resident = proto.resident();
  result.disk_bytes = proto.disk_bytes();
  result.pinned = proto.pinned();
  if (proto.has_compression()) result.compression = FromProto(proto.compression());
  if (proto.has_expansion()) result.expansion = FromProto(proto.expansion());
  result.source_sha256 = proto.source_sha256();
  if (proto.has_created()) result.created = FromProto(proto.created());
  if (proto.has_updated()) result.updated = FromProto(proto.updated());
  if (proto.has_last_used()) result.last_used = FromProto(proto.last_used());
  return result;
}

Generation FromProto(const v1::Generation& proto) {
  Generation result;
  result.number = proto.number();
  result.current = proto.current();
  result.message = proto.message();
  result.rows = proto.rows();
  result.dimension = proto.dimension();
  result.recipe = FromProto(proto.recipe());
  result.factory = proto.factory();
  result.nlist = proto.nlist();
  result.nprobe = proto.nprobe();
  result.recall_at_8 = proto.recall_at_8();
  result.disk_bytes = proto.disk_bytes();
  if (proto.has_created()) result.created = FromProto(proto.created());
  if (proto.has_updated()) result.updated = FromProto(proto.updated());
  return result;
}

ServerInfo FromProto(const v1::GetServerInfoResponse& proto) {
  ServerInfo info;
  info.version = proto.version();
  info.faiss = proto.faiss();
  info.instruction_set = proto.instruction_set();
  info.blas = proto.blas();
  info.search_threads = proto.search_threads();
  if (proto.has_started()) info.started = FromProto(proto.started());
  info.memory_budget_bytes = proto.memory_budget_bytes();
  info.memory_reserved_bytes = proto.memory_reserved_bytes();
  info.experiments = proto.experiments();
  info.resident_experiments = proto.resident_experiments();
  info.log_level = proto.log_level();
  for (const v1::Histogram& histogram : proto.histograms()) {
    info.histograms.push_back({histogram.name(),
                               {histogram.bounds().begin(), histogram.bounds().end()},
                               {histogram.counts().begin(), histogram.counts().end()},
                               histogram.sum(),
                               histogram.count()});
  }
  return info;
}

TuneCandidate FromProto(const v1::TuneCandidate& proto) {
  TuneCandidate candidate;
  candidate.recipe = FromProto(proto.recipe());
  candidate.factory = proto.factory();
  candidate.rows = proto.rows();
  candidate.recall_at_8 = proto.recall_at_8();
  candidate.blend_cosine = proto.blend_cosine();
  candidate.microseconds_per_row = proto.microseconds_per_row();
  candidate.bytes = proto.bytes();
  candidate.build_seconds = proto.build_seconds();
  candidate.pareto = proto.pareto();
  candidate.chosen = proto.chosen();
  return candidate;
}

TrainPhase FromProto(v1::Phase phase) {
  switch (phase) {
    case v1::PHASE_QUEUED:
      return TrainPhase::kQueued;
    case v1::PHASE_COMPRESSING:
      return TrainPhase::kCompressing;
    case v1::PHASE_EXPANDING:
      return TrainPhase::kExpanding;
    case v1::PHASE_TRAINING:
      return TrainPhase::kTraining;
    case v1::PHASE_ADDING:
      return TrainPhase::kAdding;
    case v1::PHASE_MEASURING:
      return TrainPhase::kMeasuring;
    case v1::PHASE_SAVING:
      return TrainPhase::kSaving;
    case v1::PHASE_DONE:
      return TrainPhase::kDone;
    case v1::PHASE_CHECKING:
      return TrainPhase::kChecking;
    default:
      return TrainPhase::kReceiving;
  }
}

}  // namespace kith::client
