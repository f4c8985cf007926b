#include "client/cli/expand_options.h"

#include <map>
#include <string>

#include "client/cli/checks.h"
#include "client/cli/search_options.h"

namespace kith::cli {

void AddExpandOptions(CLI::App& command, ExpandParams& params) {
  AddSearchOptions(command, params.search);
  static const std::map<std::string, Weighting> weightings = {{"inverse-square", Weighting::kInverseSquare},
                                                              {"alpha", Weighting::kAlpha}};
  command.add_option("--weighting", params.weighting, "inverse-square or alpha; unset: inverse-square, as RVC does")
      ->transform(OneOf(weightings))
      ->type_name("WEIGHTING");
  command.add_option("--alpha", params.alpha, "Of --weighting alpha: the exponent, 0 or more; unset: 3");
  command.add_flag("--include-query", params.include_query,
                   "Of --weighting alpha: the frame itself takes part, with weight 1");
  command.add_flag("--unit-norm", params.unit_norm,
                   "Of --weighting alpha: blended frames have norm 1, not their frame's own");
  command.add_option("--index-rate", params.index_rate, "Share of the neighbours in the result, 0 to 1; unset: 1");
}

void CheckExpandOptions(const ExpandParams& params) {
  if (params.weighting == Weighting::kAlpha) return;
  const char* option = params.alpha           ? "--alpha"
                       : params.include_query ? "--include-query"
                       : params.unit_norm     ? "--unit-norm"
                                              : nullptr;
  if (option != nullptr) throw CLI::ValidationError(option, "goes with --weighting alpha only");
}

}  // namespace kith::cli
