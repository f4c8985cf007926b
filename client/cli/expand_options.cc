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
  command.add_option("--alpha", params.alpha, "The exponent of --weighting alpha; unset: 3");
  command.add_option("--index-rate", params.index_rate, "Share of the neighbours in the result, 0 to 1; unset: 1");
}

}  // namespace kith::cli
