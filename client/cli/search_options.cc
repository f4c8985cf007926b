#include "client/cli/search_options.h"

namespace kith::cli {

void AddSearchOptions(CLI::App& command, SearchParams& params) {
  command.add_option("-k", params.k, "Neighbours a frame, 1 to 1024; unset: 8");
  command.add_option("--nprobe", params.nprobe, "Inverted lists to visit; unset: the experiment's own");
  command.add_option("--k-factor", params.k_factor,
                     "Candidates re-ranked per neighbour, for indexes that re-rank; unset: the experiment's own");
}

}  // namespace kith::cli
