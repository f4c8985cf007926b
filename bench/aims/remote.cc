#include "bench/aims/remote.h"

#include <utility>

#include "bench/server.h"

namespace kith::bench {
namespace {

void Check(const absl::Status& status) {
  if (!status.ok()) Die(std::string(status.message()));
}

template <typename Value>
Value Checked(absl::StatusOr<Value> value) {
  Check(value.status());
  return *std::move(value);
}

}  // namespace

Remote::Remote(const std::string& address, std::string experiment, int nprobe)
    : experiment_(std::move(experiment)), client_({address}) {
  if (nprobe > 0) params_.search.nprobe = nprobe;
  stream_ = Checked(client_.StreamExpand(experiment_, params_));
}

void Remote::Stream(FramesView block) {
  Check(stream_->Write(++sequence_, block));
  const auto answer = Checked(stream_->Read());
  if (!answer) Die("the stream has ended");
  Check(answer->status);
}

void Remote::Expand(FramesView block) { Check(client_.Expand(experiment_, block, params_).status()); }

SearchResult Remote::Search(FramesView block) { return Checked(client_.Search(experiment_, block, params_.search)); }

}  // namespace kith::bench
