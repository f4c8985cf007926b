#include "server/rpc/convert.h"

#include <cstring>

#include "absl/base/config.h"
#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::rpc {
namespace {

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

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  const int64_t seconds = absl::ToUnixSeconds(time);
  proto.set_seconds(seconds);
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
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
  }
  return v1::Experiment::STATE_UNSPECIFIED;
}

void FillGeneration(const experiments::Generation& generation, v1::Experiment* proto) {
  const retrieval::Recipe& recipe = generation.recipe;
  const retrieval::BuildReport& report = generation.index->report();
  proto->set_rows(generation.index->rows());
  proto->set_dimension(generation.index->dimension());
  proto->set_metric(ToProto(recipe.metric));
  if (recipe.factory.empty()) proto->set_recipe(recipe.name.empty() ? "auto" : recipe.name);
  if (recipe.compression) *proto->mutable_compression() = ToProto(*recipe.compression);
  if (recipe.expansion) *proto->mutable_expansion() = ToProto(*recipe.expansion);
  proto->set_factory(report.factory);
  proto->set_nlist(report.nlist);
  proto->set_nprobe(report.nprobe);
  proto->set_k_factor(report.k_factor);
  proto->set_seed(recipe.seed);
  proto->set_generation(generation.number);
  proto->set_recall_at_8(report.recall_at_8);
  proto->set_source_sha256(report.source_sha256);
  proto->set_bytes(generation.index->bytes());
  proto->set_resident(true);
}

}  // namespace

absl::StatusOr<retrieval::FrameView> FramesOf(const v1::FloatBatch& batch, int64_t first_row) {
  if (!batch.raw().empty() && batch.values_size() > 0) {
    return Error(Reason::kBadBatch, "frames: raw and values are both set; send the rows in one of them");
  }
  if (batch.raw().empty() && batch.values_size() == 0) {
    return Error(Reason::kEmptyBatch, "frames: there are no rows; set raw or values");
  }
  if (batch.dimension() < 1) {
    return Error(Reason::kBadBatch,
                 absl::StrCat("frames.dimension: ", batch.dimension(), " is out of range; 1 or more"));
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

v1::Experiment ToProto(const experiments::Description& description) {
  v1::Experiment proto;
  proto.set_name(description.name);
  proto.set_state(ToProto(description.state));
  proto.set_message(std::string(description.failure.message()));
  proto.set_training(description.training);
  if (description.state == experiments::State::kTraining) return proto;
  *proto.mutable_created() = ToProto(description.created);
  *proto.mutable_updated() = ToProto(description.updated);
  if (description.generation != nullptr) FillGeneration(*description.generation, &proto);
  return proto;
}

v1::Phase ToProto(experiments::Phase phase) {
  switch (phase) {
    case experiments::Phase::kQueued:
      return v1::PHASE_QUEUED;
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
