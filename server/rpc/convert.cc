#include "server/rpc/convert.h"

#include <cstring>

#include "absl/base/config.h"
#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::rpc {
namespace {

constexpr int kMaxDimension = 65'536;
constexpr size_t kMaxRequestIdBytes = 128;

#ifndef ABSL_IS_LITTLE_ENDIAN
#error "FloatBatch.raw is little-endian and is used as it is"
#endif

// The first row with a NaN or an infinity, or -1. Those have all exponent bits set; a loop over integers is one that
// the compiler turns into vector instructions.
int64_t FirstRowNotFinite(retrieval::FrameView frames) {
  constexpr uint32_t kExponent = 0x7F800000;
  const auto has_bad = [](const float* values, size_t count) {
    uint32_t bad = 0;
    for (size_t i = 0; i < count; ++i) {
      uint32_t bits;
      std::memcpy(&bits, values + i, sizeof(bits));
      bad |= static_cast<uint32_t>((bits & kExponent) == kExponent);
    }
    return bad != 0;
  };
  if (!has_bad(frames.data, frames.size())) return -1;
  int64_t row = 0;
  while (!has_bad(frames.row(row), frames.dimension)) ++row;
  return row;
}

v1::Metric ToProto(retrieval::Metric metric) {
  switch (metric) {
    case retrieval::Metric::kL2:
      return v1::METRIC_L2;
    case retrieval::Metric::kInnerProduct:
      return v1::METRIC_INNER_PRODUCT;
    case retrieval::Metric::kCosine:
      return v1::METRIC_COSINE;
  }
  return v1::METRIC_UNSPECIFIED;
}

absl::StatusOr<retrieval::Metric> MetricOf(v1::Metric metric) {
  switch (metric) {
    case v1::METRIC_UNSPECIFIED:
    case v1::METRIC_L2:
      return retrieval::Metric::kL2;
    case v1::METRIC_INNER_PRODUCT:
      return retrieval::Metric::kInnerProduct;
    case v1::METRIC_COSINE:
      return retrieval::Metric::kCosine;
    default:
      return Error(Reason::kBadParameter, absl::StrCat("recipe.metric: ", static_cast<int>(metric),
                                                       " is not a metric; L2, INNER_PRODUCT or COSINE"));
  }
}

retrieval::Compression CompressionOf(const v1::Compression& proto) {
  retrieval::Compression compression;
  compression.centres = proto.centres();
  if (proto.has_batch_size()) compression.batch_size = proto.batch_size();
  if (proto.has_iterations()) compression.iterations = proto.iterations();
  return compression;
}

retrieval::Expansion ExpansionOf(const v1::Expansion& proto) {
  retrieval::Expansion expansion;
  expansion.neighbors = proto.neighbors();
  if (proto.has_alpha()) expansion.alpha = proto.alpha();
  expansion.unit_norm = proto.unit_norm();
  return expansion;
}

v1::Compression ToProto(const retrieval::Compression& compression) {
  v1::Compression proto;
  proto.set_centres(compression.centres);
  if (compression.batch_size) proto.set_batch_size(*compression.batch_size);
  if (compression.iterations) proto.set_iterations(*compression.iterations);
  return proto;
}

v1::Expansion ToProto(const retrieval::Expansion& expansion) {
  v1::Expansion proto;
  proto.set_neighbors(expansion.neighbors);
  proto.set_alpha(expansion.alpha);
  proto.set_unit_norm(expansion.unit_norm);
  return proto;
}

v1::Recipe ToProto(const retrieval::Recipe& recipe) {
  v1::Recipe proto;
  proto.set_name(recipe.name);
  proto.set_factory(recipe.factory);
  proto.set_metric(ToProto(recipe.metric));
  if (recipe.nprobe) proto.set_nprobe(*recipe.nprobe);
  if (recipe.k_factor) proto.set_k_factor(*recipe.k_factor);
  proto.set_seed(recipe.seed);
  if (recipe.compression) *proto.mutable_compression() = ToProto(*recipe.compression);
  if (recipe.expansion) *proto.mutable_expansion() = ToProto(*recipe.expansion);
  return proto;
}

v1::Experiment::State ToProto(experiments::State state) {
  switch (state) {
    case experiments::State::kTraining:
      return v1::Experiment::STATE_TRAINING;
    case experiments::State::kReady:
      return v1::Experiment::STATE_READY;
    case experiments::State::kFailed:
      return v1::Experiment::STATE_FAILED;
    case experiments::State::kDegraded:
      return v1::Experiment::STATE_DEGRADED;
  }
  return v1::Experiment::STATE_UNSPECIFIED;
}

void FillGeneration(const storage::GenerationInfo& info, v1::Experiment* proto) {
  const retrieval::Recipe& recipe = info.recipe;
  const retrieval::BuildReport& report = info.report;
  proto->set_dimension(info.dimension);
  proto->set_metric(ToProto(recipe.metric));
  if (recipe.factory.empty()) proto->set_recipe(recipe.name.empty() ? "auto" : recipe.name);
  if (recipe.compression) *proto->mutable_compression() = ToProto(*recipe.compression);
  if (recipe.expansion) *proto->mutable_expansion() = ToProto(*recipe.expansion);
  proto->set_factory(report.factory);
  proto->set_nlist(report.nlist);
  proto->set_nprobe(report.nprobe);
  proto->set_k_factor(report.k_factor);
  proto->set_seed(recipe.seed);
  proto->set_generation(info.number);
  proto->set_recall_at_8(report.recall_at_8);
  proto->set_source_sha256(report.source_sha256);
}

// A degraded experiment serves another generation than the one that is stored as the current one.
void FillServed(const experiments::Generation& generation, v1::Experiment* proto) {
  storage::GenerationInfo info;
  info.number = generation.number;
  info.recipe = generation.recipe;
  info.report = generation.index->report();
  info.dimension = generation.index->dimension();
  FillGeneration(info, proto);
  proto->set_rows(generation.index->rows());
  proto->set_bytes(generation.index->bytes());
  proto->set_resident(true);
}

}  // namespace

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  const int64_t seconds = absl::ToUnixSeconds(time);
  proto.set_seconds(seconds);
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return proto;
}

absl::StatusOr<retrieval::FrameView> FramesOf(const v1::FloatBatch& batch, int64_t first_row) {
  if (!batch.raw().empty() && batch.values_size() > 0) {
    return Error(Reason::kBadBatch, "frames: raw and values are both set; send the rows in one of them");
  }
  if (batch.raw().empty() && batch.values_size() == 0) {
    return Error(Reason::kEmptyBatch, "frames: there are no rows; set raw or values");
  }
  if (batch.dimension() < 1 || batch.dimension() > kMaxDimension) {
    return Error(Reason::kBadBatch,
                 absl::StrCat("frames.dimension: ", batch.dimension(), " is out of range; 1 to ", kMaxDimension));
  }
  if (batch.raw().size() % sizeof(float) != 0) {
    return Error(Reason::kBadBatch,
                 absl::StrCat("frames.raw: ", batch.raw().size(), " bytes are no whole number of float32"));
  }
  const bool is_raw = !batch.raw().empty();
  const auto count = static_cast<int64_t>(is_raw ? batch.raw().size() / sizeof(float) : batch.values_size());
  if (count % batch.dimension() != 0) {
    return Error(Reason::kBadBatch,
                 absl::StrCat("frames: ", count, " values do not divide into rows of ", batch.dimension()));
  }
  // A string's bytes are aligned for any scalar: they come from the heap, or, if there are a few only, stand 16 bytes
  // into it.
  const float* values = is_raw ? reinterpret_cast<const float*>(batch.raw().data()) : batch.values().data();
  const retrieval::FrameView frames{values, count / batch.dimension(), batch.dimension()};
  if (const int64_t row = FirstRowNotFinite(frames); row >= 0) {
    return Error(Reason::kNotFinite, absl::StrCat("frames: row ", first_row + row, " has a NaN or an infinity"));
  }
  return frames;
}

absl::Status CheckDimension(int given, int expected) {
  if (given == expected) return absl::OkStatus();
  return Error(Reason::kDimensionMismatch,
               absl::StrCat("the frames have ", given, " dimensions and the experiment has ", expected,
                            "; RVC v1 features have 256, those of v2 768"));
}

absl::StatusOr<retrieval::FrameView> QueriesOf(const v1::FloatBatch& batch, int dimension,
                                               const config::Limits& limits) {
  auto frames = FramesOf(batch);
  if (!frames.ok()) return frames;
  if (absl::Status status = CheckDimension(frames->dimension, dimension); !status.ok()) return status;
  if (frames->rows > limits.rows) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("frames: ", frames->rows, " rows are too many for one message; 1 to ", limits.rows,
                              ", so split them"));
  }
  return frames;
}

absl::Status CheckRequestId(const std::string& id) {
  if (id.size() <= kMaxRequestIdBytes) return absl::OkStatus();
  return Error(Reason::kBadParameter,
               absl::StrCat("request_id: ", id.size(), " bytes are too many; 1 to ", kMaxRequestIdBytes));
}

float* MakeRoom(const v1::FloatBatch& request, int64_t rows, v1::FloatBatch* answer) {
  answer->set_dimension(request.dimension());
  const size_t count = static_cast<size_t>(rows) * request.dimension();
  if (request.raw().empty()) {
    answer->mutable_values()->Resize(static_cast<int>(count), 0);
    return answer->mutable_values()->mutable_data();
  }
  answer->mutable_raw()->resize(count * sizeof(float));
  return reinterpret_cast<float*>(answer->mutable_raw()->data());  // aligned: see FramesOf
}

absl::StatusOr<retrieval::SearchOptions> SearchOptionsOf(const v1::SearchParams& params, const config::Limits& limits) {
  retrieval::SearchOptions options;
  if (params.has_k()) options.k = params.k();
  if (options.k < 1 || options.k > limits.k) {
    return Error(Reason::kBadParameter, absl::StrCat("params.k: ", options.k, " is out of range; 1 to ", limits.k));
  }
  if (params.has_nprobe()) options.nprobe = params.nprobe();
  if (params.has_k_factor()) options.k_factor = params.k_factor();
  return options;
}

absl::StatusOr<retrieval::BlendParams> BlendParamsOf(const v1::ExpandParams& params) {
  retrieval::BlendParams blend;
  switch (params.weighting()) {
    case v1::WEIGHTING_UNSPECIFIED:
    case v1::WEIGHTING_INVERSE_SQUARE:
      blend.weighting = retrieval::Weighting::kInverseSquare;
      break;
    case v1::WEIGHTING_ALPHA:
      blend.weighting = retrieval::Weighting::kAlpha;
      break;
    default:
      return Error(Reason::kBadParameter, absl::StrCat("params.weighting: ", static_cast<int>(params.weighting()),
                                                       " is not a weighting; INVERSE_SQUARE or ALPHA"));
  }
  if (params.has_alpha()) blend.alpha = params.alpha();
  if (params.has_index_rate()) blend.index_rate = params.index_rate();
  blend.include_query = params.include_query();
  blend.unit_norm = params.unit_norm();
  if (absl::Status status = retrieval::CheckBlend(blend); !status.ok()) return status;
  return blend;
}

absl::StatusOr<retrieval::Recipe> RecipeOf(const v1::Recipe& proto) {
  const auto metric = MetricOf(proto.metric());
  if (!metric.ok()) return metric.status();
  retrieval::Recipe recipe;
  recipe.name = proto.name();
  recipe.factory = proto.factory();
  recipe.metric = *metric;
  if (proto.has_nprobe()) recipe.nprobe = proto.nprobe();
  if (proto.has_k_factor()) recipe.k_factor = proto.k_factor();
  if (proto.has_seed()) recipe.seed = proto.seed();
  if (proto.has_compression()) recipe.compression = CompressionOf(proto.compression());
  if (proto.has_expansion()) recipe.expansion = ExpansionOf(proto.expansion());
  if (absl::Status status = retrieval::CheckRecipe(recipe); !status.ok()) return status;
  return recipe;
}

retrieval::TuneOptions TuneOptionsOf(const v1::TuneRequest& request) {
  retrieval::TuneOptions options;
  options.sample = request.sample();
  if (request.has_target_recall()) options.target_recall = request.target_recall();
  if (request.has_seed()) options.seed = request.seed();
  return options;
}

v1::TuneCandidate ToProto(const retrieval::TuneCandidate& candidate) {
  v1::TuneCandidate proto;
  *proto.mutable_recipe() = ToProto(candidate.recipe);
  proto.set_factory(candidate.factory);
  proto.set_rows(candidate.rows);
  proto.set_recall_at_8(candidate.recall_at_8);
  proto.set_blend_cosine(candidate.blend_cosine);
  proto.set_microseconds_per_row(candidate.microseconds_per_row);
  proto.set_bytes(candidate.bytes);
  proto.set_build_seconds(candidate.build_seconds);
  proto.set_pareto(candidate.pareto);
  proto.set_chosen(candidate.chosen);
  return proto;
}

v1::Experiment ToProto(const experiments::Description& description) {
  const storage::ExperimentRecord& record = description.record;
  v1::Experiment proto;
  proto.set_name(record.name);
  proto.set_state(ToProto(description.state));
  proto.set_message(std::string(description.failure.message()));
  proto.set_training(description.training);
  proto.set_pinned(description.pinned);
  proto.set_disk_bytes(record.disk_bytes);
  if (description.last_used != absl::InfinitePast()) *proto.mutable_last_used() = ToProto(description.last_used);
  if (description.state == experiments::State::kTraining) return proto;
  if (record.status.ok()) {
    *proto.mutable_created() = ToProto(record.created);
    *proto.mutable_updated() = ToProto(record.updated);
  }
  if (description.generation != nullptr) {
    FillServed(*description.generation, &proto);
  } else if (description.state == experiments::State::kReady) {
    FillGeneration(record.generation, &proto);
    proto.set_rows(record.total_rows);
  }
  return proto;
}

v1::Generation ToProto(const storage::GenerationRecord& record) {
  const storage::GenerationInfo& info = record.info;
  v1::Generation proto;
  proto.set_number(info.number);
  proto.set_current(record.current);
  proto.set_message(std::string(record.status.message()));
  if (!record.status.ok()) return proto;
  proto.set_rows(record.total_rows);
  proto.set_dimension(info.dimension);
  *proto.mutable_recipe() = ToProto(info.recipe);
  proto.set_factory(info.report.factory);
  proto.set_nlist(info.report.nlist);
  proto.set_nprobe(info.report.nprobe);
  proto.set_recall_at_8(info.report.recall_at_8);
  proto.set_disk_bytes(info.bytes);
  *proto.mutable_created() = ToProto(info.created);
  *proto.mutable_updated() = ToProto(record.updated);
  return proto;
}

v1::Phase ToProto(experiments::Phase phase) {
  switch (phase) {
    case experiments::Phase::kQueued:
      return v1::PHASE_QUEUED;
    case experiments::Phase::kCompressing:
      return v1::PHASE_COMPRESSING;
    case experiments::Phase::kExpanding:
      return v1::PHASE_EXPANDING;
    case experiments::Phase::kChecking:
      return v1::PHASE_CHECKING;
    case experiments::Phase::kTraining:
      return v1::PHASE_TRAINING;
    case experiments::Phase::kAdding:
      return v1::PHASE_ADDING;
    case experiments::Phase::kMeasuring:
      return v1::PHASE_MEASURING;
    case experiments::Phase::kSaving:
      return v1::PHASE_SAVING;
  }
  return v1::PHASE_UNSPECIFIED;
}

}  // namespace kith::rpc
