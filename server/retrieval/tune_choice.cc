#include "server/retrieval/tune_choice.h"

#include <algorithm>

namespace kith::retrieval {
namespace {

bool Dominates(const TuneCandidate& a, const TuneCandidate& b) {
  const bool as_good = a.recall_at_8 >= b.recall_at_8 && a.blend_cosine >= b.blend_cosine &&
                       a.microseconds_per_row <= b.microseconds_per_row && a.bytes <= b.bytes;
  const bool better = a.recall_at_8 > b.recall_at_8 || a.blend_cosine > b.blend_cosine ||
                      a.microseconds_per_row < b.microseconds_per_row || a.bytes < b.bytes;
  return as_good && better;
}

bool KeepsFrames(const TuneCandidate& candidate) {
  return !candidate.recipe.compression && !candidate.recipe.expansion;
}

}  // namespace

void MarkParetoFront(std::vector<TuneCandidate>* candidates) {
  for (TuneCandidate& candidate : *candidates) {
    candidate.pareto = std::none_of(candidates->begin(), candidates->end(),
                                    [&](const TuneCandidate& other) { return Dominates(other, candidate); });
  }
}

void MarkChosen(double target_recall, std::vector<TuneCandidate>* candidates) {
  TuneCandidate* best = nullptr;
  const auto reaches = [&](const TuneCandidate& candidate) { return candidate.recall_at_8 >= target_recall; };
  const auto better = [&](const TuneCandidate& a, const TuneCandidate& b) {
    if (reaches(a) != reaches(b)) return reaches(a);
    if (!reaches(a) && a.recall_at_8 != b.recall_at_8) return a.recall_at_8 > b.recall_at_8;
    return a.microseconds_per_row < b.microseconds_per_row;
  };
  for (TuneCandidate& candidate : *candidates) {
    candidate.chosen = false;
    if (KeepsFrames(candidate) && (best == nullptr || better(candidate, *best))) best = &candidate;
  }
  if (best != nullptr) best->chosen = true;
}

}  // namespace kith::retrieval
