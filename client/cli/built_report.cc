#include "client/cli/built_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/experiment_report.h"

namespace kith::cli {

Json BuiltJson(const Experiment& built, double seconds) {
  const auto known = [&built](Json value) { return built.generation > 0 ? value : Json(nullptr); };
  return {{"experiment", built.name},
          {"rows", built.rows},
          {"dimension", built.dimension},
          {"generation", known(built.generation)},
          {"factory", known(built.factory)},
          {"nlist", known(built.nlist)},
          {"nprobe", known(built.nprobe)},
          {"recall_at_8", known(built.recall_at_8)},
          {"seconds", seconds}};
}

std::string BuiltText(std::string_view verb, const Experiment& built, double seconds) {
  if (built.generation == 0) {
    return absl::StrCat("the server goes on with ", built.name, " alone now; kith show ", built.name,
                        " tells when it is done\n");
  }
  return absl::StrFormat("%s %s: %d frames of %d dimensions, generation %d, in %.1f s\nindex: %s\n", std::string(verb),
                         built.name, built.rows, built.dimension, built.generation, seconds, IndexText(built));
}

}  // namespace kith::cli
