#include "server/retrieval/kmeans.h"

#include <cblas.h>
#include <faiss/utils/distances.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "server/retrieval/platform.h"

namespace kith::retrieval {
namespace {

constexpr int kBatchRowsPerThread = 256;
constexpr int kDefaultIterations = 100;
constexpr int64_t kRowsAtOnce = 1024;        // of a batch, gathered for one matrix product
constexpr double kReassignmentRatio = 0.01;  // centres seen by fewer rows than this share of the most seen one's move
constexpr int kPatience = 10;                // steps without improvement

// Tells when the batches' inertia no longer falls.
class Plateau {
 public:
  Plateau(int64_t batch_size, int64_t rows)
      : newest_share_(std::min(1.0, 2.0 * static_cast<double>(batch_size) / (static_cast<double>(rows) + 1))) {}

  // Takes the mean inertia of the next batch.
  bool Reached(double inertia) {
    average_ = steps_++ == 0 ? inertia : average_ * (1 - newest_share_) + inertia * newest_share_;
    if (average_ < lowest_) {
      lowest_ = average_;
      without_improvement_ = 0;
      return false;
    }
    return ++without_improvement_ >= kPatience;
  }

 private:
  const double newest_share_;
  int64_t steps_ = 0;
  double average_ = 0;
  double lowest_ = std::numeric_limits<double>::infinity();
  int without_improvement_ = 0;
};

class Clustering {
 public:
  Clustering(FrameView frames, int64_t centres, int64_t batch_size, int64_t seed)
      : frames_(frames),
        random_(static_cast<uint64_t>(seed)),
        centres_{frames.dimension, {}},
        norms_(centres),
        seen_(centres, 0),
        batch_(batch_size),
        labels_(batch_size),
        distances_(batch_size) {
    std::vector<int64_t> rows(frames.rows);
    std::iota(rows.begin(), rows.end(), 0);
    DrawToFront(&rows, centres);
    centres_.values.resize(static_cast<size_t>(centres) * frames.dimension);
    for (int64_t i = 0; i < centres; ++i) PutOn(i, rows[i]);
  }

  // Returns the mean squared distance of a batch to the centres as they were before.
  double Step() {
    std::uniform_int_distribution<int64_t> any_row(0, frames_.rows - 1);
    for (int64_t& row : batch_) row = any_row(random_);
    const double inertia = Assign();
    for (size_t i = 0; i < batch_.size(); ++i) Pull(labels_[i], frames_.row(batch_[i]));
    for (const int64_t label : labels_) UpdateNorm(label);
    since_reassignment_ += static_cast<int64_t>(batch_.size());
    const bool has_unseen = std::find(seen_.begin(), seen_.end(), 0) != seen_.end();
    if (has_unseen || since_reassignment_ >= 10 * centres_.rows()) Reassign();
    return inertia / static_cast<double>(batch_.size());
  }

  Frames Take() { return std::move(centres_); }

 private:
  float* centre(int64_t i) { return centres_.values.data() + static_cast<size_t>(i) * frames_.dimension; }

  void UpdateNorm(int64_t i) { norms_[i] = faiss::fvec_norm_L2sqr(centre(i), frames_.dimension); }

  void PutOn(int64_t i, int64_t row) {
    std::copy_n(frames_.row(row), frames_.dimension, centre(i));
    UpdateNorm(i);
  }

  // Brings a random choice of `count` to the front.
  void DrawToFront(std::vector<int64_t>* values, int64_t count) {
    const auto last = static_cast<int64_t>(values->size()) - 1;
    for (int64_t i = 0; i < count; ++i) {
      std::swap((*values)[i], (*values)[std::uniform_int_distribution<int64_t>(i, last)(random_)]);
    }
  }

  // Labels the batch; returns the sum of its squared distances.
  double Assign() {
    const auto size = static_cast<int64_t>(batch_.size());
    std::vector<float> rows(static_cast<size_t>(std::min(kRowsAtOnce, size)) * frames_.dimension);
    for (int64_t first = 0; first < size; first += kRowsAtOnce) {
      const int64_t count = std::min(kRowsAtOnce, size - first);
      for (int64_t i = 0; i < count; ++i) {
        std::copy_n(frames_.row(batch_[first + i]), frames_.dimension, rows.data() + i * frames_.dimension);
      }
      faiss::knn_L2sqr(rows.data(), centres_.values.data(), frames_.dimension, count, centres_.rows(), 1,
                       distances_.data() + first, labels_.data() + first, norms_.data());
    }
    return std::accumulate(distances_.begin(), distances_.end(), 0.0);
  }

  // The centre becomes the mean of all rows that it has seen.
  void Pull(int64_t i, const float* row) {
    const auto rate = static_cast<float>(1 / ++seen_[i]);
    cblas_sscal(frames_.dimension, 1 - rate, centre(i), 1);
    cblas_saxpy(frames_.dimension, rate, row, 1, centre(i), 1);
  }

  // Puts the centres seen least on rows of the batch, half as many as it has at most. Their counts become those of the
  // least seen centre that stays, so that they are not moved again at once.
  void Reassign() {
    since_reassignment_ = 0;
    const double few = kReassignmentRatio * *std::max_element(seen_.begin(), seen_.end());
    std::vector<int64_t> order(seen_.size());
    std::iota(order.begin(), order.end(), 0);
    const auto end = std::partition(order.begin(), order.end(), [&](int64_t i) { return seen_[i] < few; });
    const auto most = std::min<int64_t>(end - order.begin(), static_cast<int64_t>(batch_.size()) / 2);
    if (most == 0) return;
    const auto by_count = [&](int64_t a, int64_t b) { return seen_[a] != seen_[b] ? seen_[a] < seen_[b] : a < b; };
    std::nth_element(order.begin(), order.begin() + most, order.end(), by_count);
    const double count = seen_[order[most]];
    const std::vector<int64_t> rows = RowsWithoutCentre(most);
    for (size_t i = 0; i < rows.size(); ++i) {
      PutOn(order[i], rows[i]);
      seen_[order[i]] = count;
    }
  }

  // Random rows of the batch, all different, that no centre stood on when they were assigned; `most` at most.
  std::vector<int64_t> RowsWithoutCentre(int64_t most) {
    constexpr float kRounding = 1e-5f;  // of a distance, relative to the row's squared norm
    std::vector<int64_t> candidates;
    for (size_t i = 0; i < batch_.size(); ++i) {
      const float squared_norm = faiss::fvec_norm_L2sqr(frames_.row(batch_[i]), frames_.dimension);
      if (distances_[i] > kRounding * squared_norm) candidates.push_back(batch_[i]);
    }
    DrawToFront(&candidates, static_cast<int64_t>(candidates.size()));
    std::vector<int64_t> rows;
    for (const int64_t row : candidates) {
      const auto is_same = [&](int64_t other) {
        return std::equal(frames_.row(row), frames_.row(row) + frames_.dimension, frames_.row(other));
      };
      if (static_cast<int64_t>(rows.size()) < most && std::none_of(rows.begin(), rows.end(), is_same))
        rows.push_back(row);
    }
    return rows;
  }

  const FrameView frames_;
  std::mt19937_64 random_;
  Frames centres_;
  std::vector<float> norms_;    // of the centres, squared
  std::vector<double> seen_;    // rows that each centre has seen
  std::vector<int64_t> batch_;  // rows of frames_
  std::vector<int64_t> labels_;
  std::vector<float> distances_;  // of the batch to its centres
  int64_t since_reassignment_ = 0;
};

}  // namespace

absl::StatusOr<Frames> MiniBatchKMeans(FrameView frames, const Compression& compression, int64_t seed,
                                       StepObserver observe) {
  // Asked before `observe`, which may give this thread others from step to step.
  const int64_t wanted = compression.batch_size.value_or(kBatchRowsPerThread * ThreadsOfThisThread());
  const int64_t batch_size = std::min(frames.rows, wanted);
  const int64_t steps =
      std::max<int64_t>(1, frames.rows * compression.iterations.value_or(kDefaultIterations) / batch_size);
  if (!observe(0, steps)) return Cancelled();
  Clustering clustering(frames, compression.centres, batch_size, seed);
  Plateau plateau(batch_size, frames.rows);
  for (int64_t step = 0; step < steps; ++step) {
    if (!observe(step, steps)) return Cancelled();
    const double inertia = clustering.Step();
    if (step > 0 && plateau.Reached(inertia)) break;  // the first tells of the random centres
  }
  if (!observe(steps, steps)) return Cancelled();
  return clustering.Take();
}

}  // namespace kith::retrieval
