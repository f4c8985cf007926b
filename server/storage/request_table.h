// The table `requests`: what was done already, so that a retry is not done again.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/storage/entries.h"
#include "server/storage/records.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// The request's answer unless it is older than kRequestLifetime.
absl::StatusOr<std::optional<RequestRecord>> FindRequest(const Database& database, std::string_view experiment,
                                                         std::string_view request_id, absl::Time now);

// The same for a request that is about to be done: REQUEST_ID_REUSED where its id was used with another digest or
// kind. Nothing is found without a request.
absl::StatusOr<std::optional<RequestRecord>> FindAnswer(const Database& database, std::string_view experiment,
                                                        RequestKind kind, const std::optional<Request>& request,
                                                        absl::Time now);

// All of an experiment, whatever their age. DATA_LOSS STORAGE.
absl::StatusOr<std::vector<RequestEntry>> ListRequests(const Database& database, std::string_view experiment);

// Called inside a transaction, after FindAnswer found nothing. Requests older than kRequestLifetime go.
absl::Status InsertRequest(const Database& database, std::string_view experiment, std::string_view request_id,
                           const RequestRecord& record, absl::Time now);

}  // namespace kith::storage
