#include "server/storage/outcome.h"

#include "absl/strings/cord.h"

namespace kith::storage {
namespace {

constexpr char kOutcomeUnknownUrl[] = "kith/outcome-unknown";

}  // namespace

bool OutcomeUnknown(const absl::Status& status) { return status.GetPayload(kOutcomeUnknownUrl).has_value(); }

absl::Status WithUnknownOutcome(absl::Status status) {
  status.SetPayload(kOutcomeUnknownUrl, absl::Cord());
  return status;
}

absl::Status WithKnownOutcome(absl::Status status) {
  status.ErasePayload(kOutcomeUnknownUrl);
  return status;
}

}  // namespace kith::storage
