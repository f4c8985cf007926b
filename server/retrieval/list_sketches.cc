#include "server/retrieval/list_sketches.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVF.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace kith::retrieval {
namespace {

// By measurement on real frames: with fewer directions more vectors have to be read, with more the bytes take as long.
constexpr int kDimensionsPerDirection = 8;  // at least
constexpr int kDirectionsAtOnce = 16;       // a whole vector of the widest kernel
constexpr int kLeastDimensions = kDimensionsPerDirection * kDirectionsAtOnce;
constexpr int64_t kSampleRows = 2048;  // where there are fewer, there is little to search anyway
constexpr int64_t kRowsAtOnce = 256;
constexpr uint8_t kZero = 128;  // a vector's code for 0

int MostDirections(int dimension) {
  const int directions = dimension / kDimensionsPerDirection;
  return directions - directions % kDirectionsAtOnce;
}

float SquaredNorm(const float* values, int count) {
  double sum = 0;
  for (int j = 0; j < count; ++j) sum += static_cast<double>(values[j]) * values[j];
  return static_cast<float>(sum);
}

// Vectors from all lists, as differences from their centroids.
Frames Sample(const FlatLists& lists, const float* centroids, int64_t vectors) {
  const int dimension = lists.dimension();
  Frames sample{dimension, {}};
  sample.values.reserve(kSampleRows * dimension);
  int64_t seen = 0;
  for (int64_t list = 0; list < lists.size(); ++list) {
    for (int64_t row = 0; row < lists.rows(list); ++row, ++seen) {
      if (seen * kSampleRows / vectors == (seen + 1) * kSampleRows / vectors) continue;
      const float* vector = lists.vectors(list) + row * dimension;
      const float* centroid = centroids + list * dimension;
      for (int j = 0; j < dimension; ++j) sample.values.push_back(vector[j] - centroid[j]);
    }
  }
  return sample;
}

}  // namespace

std::unique_ptr<ListSketches> ListSketches::Of(const faiss::Index& index, const Kernels& kernels) {
  const auto lists = FlatLists::Of(index);
  if (kernels.sketch_bounds == nullptr || !lists || !lists->is_l2() || lists->dimension() < kLeastDimensions ||
      index.ntotal < kSampleRows)
    return nullptr;
  const auto* quantizer = dynamic_cast<const faiss::IndexFlat*>(static_cast<const faiss::IndexIVF&>(index).quantizer);
  if (quantizer == nullptr || quantizer->ntotal != lists->size()) return nullptr;
  return std::unique_ptr<ListSketches>(new ListSketches(*lists, quantizer->get_xb(), index.ntotal, kernels));
}

ListSketches::ListSketches(const FlatLists& lists, const float* centroids, int64_t vectors, const Kernels& kernels)
    : lists_(lists),
      centroids_(centroids),
      kernels_(kernels),
      rounding_(1.2e-7f * (static_cast<float>(lists.dimension()) / 16 + 16)),
      projection_(Sample(lists, centroids, vectors).view(), MostDirections(lists.dimension()), kDirectionsAtOnce,
                  kernels),
      rounding_inside_(rounding_ * (std::sqrt(static_cast<float>(directions())) + 2)),
      projected_centroids_(lists.size() * directions()),
      sketches_(lists.size()) {
  projection_.Apply(lists_.size(), centroids_, projected_centroids_.data());
  for (int64_t list = 0; list < lists_.size(); ++list) {
    largest_norm_ = std::max(largest_norm_, std::sqrt(SquaredNorm(centroid(list), lists_.dimension())));
  }
  SketchAll();
}

int64_t ListSketches::panel_bytes() const {
  return static_cast<int64_t>(sizeof(SketchPanel)) + int64_t{kSketchLanes} * directions();
}

void ListSketches::SketchAll() {
  for (int64_t list = 0; list < lists_.size(); ++list) {
    const int64_t rows = lists_.rows(list);
    sketches_[list].panels.reserve((rows + kSketchLanes - 1) / kSketchLanes * panel_bytes());
    for (int64_t first = 0; first < rows; first += kRowsAtOnce) {
      const std::vector<int64_t> same(std::min(kRowsAtOnce, rows - first), list);
      Append(same, Sketch(same, lists_.vectors(list) + first * lists_.dimension()));
    }
  }
}

ListSketches::Rows ListSketches::Sketch(absl::Span<const int64_t> lists, const float* vectors) const {
  const int dimension = lists_.dimension();
  const auto count = static_cast<int64_t>(lists.size());
  std::vector<float> differences(count * dimension);
  for (int64_t i = 0; i < count; ++i) {
    const float* vector = vectors + i * dimension;
    const float* center = centroid(lists[i]);
    float* difference = differences.data() + i * dimension;
    for (int j = 0; j < dimension; ++j) difference[j] = vector[j] - center[j];
  }
  std::vector<float> projected(count * directions());
  projection_.Apply(count, differences.data(), projected.data());
  const std::vector<float> zero(directions());
  Rows rows{std::vector<int8_t>(count * directions()), {}, {}, {}};
  for (int64_t i = 0; i < count; ++i) {
    const float* inside = projected.data() + i * directions();
    const float squared_norm = SquaredNorm(differences.data() + i * dimension, dimension);
    rows.code.push_back(kernels_.encode_bytes(inside, zero.data(), directions(), rows.codes.data() + i * directions()));
    const float inside_off = rounding_inside_ * std::sqrt(squared_norm);
    float off;
    rows.rest.push_back(RestOf(squared_norm, SquaredNorm(inside, directions()), inside_off, &off));
    rows.error.push_back(off + rows.code.back().error * (1 + rounding_) + inside_off);
  }
  return rows;
}

// The length of what is left of a vector where what lies inside, which may be wrong by `inside_off`, is taken away;
// `off` gets what it may be wrong by itself.
float ListSketches::RestOf(float squared_norm, float squared_norm_inside, float inside_off, float* off) const {
  const float rest = std::sqrt(std::max(0.0f, squared_norm - squared_norm_inside));
  const float squares_off =
      4 * rounding_ * squared_norm + inside_off * (2 * std::sqrt(squared_norm_inside) + inside_off);
  *off = squares_off > 0 ? squares_off / std::max(rest, std::sqrt(squares_off)) : 0;
  return rest;
}

void ListSketches::Append(absl::Span<const int64_t> lists, const Rows& rows) {
  for (size_t i = 0; i < lists.size(); ++i) Put(rows, static_cast<int64_t>(i), &sketches_[lists[i]]);
}

void ListSketches::Put(const Rows& rows, int64_t row, List* list) const {
  const int lane = list->rows % kSketchLanes;
  if (lane == 0) list->panels.resize(list->panels.size() + panel_bytes());
  uint8_t* bytes = list->panels.data() + list->panels.size() - panel_bytes();
  SketchPanel panel;
  std::memcpy(&panel, bytes, sizeof(panel));
  panel.scale[lane] = rows.code[row].scale;
  panel.squared_norm[lane] = rows.code[row].squared_norm;
  panel.rest[lane] = rows.rest[row];
  panel.error[lane] = rows.error[row];
  std::memcpy(bytes, &panel, sizeof(panel));
  uint8_t* codes = bytes + sizeof(panel);
  for (int j = 0; j < directions(); ++j) {
    codes[(j / 4 * kSketchLanes + lane) * 4 + j % 4] = static_cast<uint8_t>(rows.codes[row * directions() + j] + kZero);
  }
  ++list->rows;  // only now: there may have been no memory for another panel
}

void ListSketches::Bounds(const float* projected, float norm, int64_t list, float centroid_distance,
                          float* bounds) const {
  thread_local std::vector<int8_t> codes;
  codes.resize(directions());
  const float* center = projected_centroids_.data() + list * directions();
  SketchedQuery query{codes.data(), 0, kernels_.encode_bytes(projected, center, directions(), codes.data()), 0, 0};
  for (const int8_t code : codes) query.code_sum += code;
  float inside;
  kernels_.squared_distances(&projected, 1, &center, 1, directions(), &inside);
  const float inside_off = rounding_inside_ * (norm + largest_norm_);
  query.rest = RestOf(centroid_distance, inside, inside_off, &query.error);
  query.error += query.code.error * (1 + rounding_) + inside_off;
  kernels_.sketch_bounds(query, sketches_[list].panels.data(), sketches_[list].rows, directions() / 4, bounds);
}

int64_t ListSketches::bytes() const {
  int64_t bytes = projection_.bytes() + static_cast<int64_t>(projected_centroids_.size() * sizeof(float));
  for (const List& list : sketches_) bytes += static_cast<int64_t>(sizeof(List) + list.panels.capacity());
  return bytes;
}

}  // namespace kith::retrieval
