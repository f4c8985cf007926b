// What follows from the measurements of a tuning.
#pragma once

#include <vector>

#include "server/retrieval/tune.h"

namespace kith::retrieval {

// Sets `pareto` of each: no other candidate is at least as good in recall and blend (up), time and memory (down) and
// better in one of them.
void MarkParetoFront(std::vector<TuneCandidate>* candidates);

// Sets `chosen` of one: the fastest that keeps every frame as it is (no compression, no expansion) and reaches
// `target_recall`; where none does, the one of best recall among them, the faster of equals.
void MarkChosen(double target_recall, std::vector<TuneCandidate>* candidates);

}  // namespace kith::retrieval
