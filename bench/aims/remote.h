// The same through kithd.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "client/cpp/client.h"

namespace kith::bench {

// Each call dies where the server answers with an error.
class Remote {
 public:
  // Over a connection of its own. nprobe 0: the experiment's own.
  Remote(const std::string& address, std::string experiment, int nprobe);

  // A block over a stream that stays open, or as a call of its own; both blend with the default weighting.
  void Stream(FramesView block);
  void Expand(FramesView block);

  SearchResult Search(FramesView block);

 private:
  const std::string experiment_;
  ExpandParams params_;
  Client client_;
  std::unique_ptr<ExpandStream> stream_;
  int64_t sequence_ = 0;
};

}  // namespace kith::bench
