#include "server/rpc/block_stream.h"

namespace kith::rpc {

absl::StatusOr<BlockOptions> SearchStreamKind::Open(const v1::StreamOpen& open, const config::Limits& limits) {
  const v1::ExpandParams& params = open.params();
  if (params.weighting() != v1::WEIGHTING_UNSPECIFIED || params.has_alpha() || params.has_index_rate() ||
      params.include_query() || params.unit_norm()) {
    return Error(Reason::kBadParameter,
                 "open.params: StreamSearch takes params.search only; to blend, use StreamExpand");
  }
  return SearchBlockOptions(open.experiment(), params.search(), limits);
}

absl::StatusOr<BlockOptions> ExpandStreamKind::Open(const v1::StreamOpen& open, const config::Limits& limits) {
  return ExpandBlockOptions(open.experiment(), open.params(), limits);
}

}  // namespace kith::rpc
