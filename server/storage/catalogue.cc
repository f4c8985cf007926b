#include "server/storage/catalogue.h"

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/storage/quoted.h"

namespace kith::storage {

absl::Status NoExperiment(std::string_view name) {
  return Error(Reason::kExperimentNotFound, absl::StrCat("there is no experiment ", Quoted(name), "; train it first"));
}

absl::Status ExperimentsExist(std::string_view names) {
  return Error(absl::StatusCode::kAlreadyExists, Reason::kBadParameter,
               absl::StrCat("there is ", std::string(names), " already; nothing was restored: ask for replacing, or ",
                            "delete what is there first"));
}

absl::Status NoGeneration(const StoredExperiment& experiment, int64_t number) {
  return Error(Reason::kBadParameter, absl::StrCat("experiment ", Quoted(experiment.name), " has no generation ",
                                                   number, "; there are: ", experiment.Numbers()));
}

}  // namespace kith::storage
