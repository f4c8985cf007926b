// How much a client may take.
#pragma once

#include <chrono>
#include <cstddef>

namespace kith::http {

struct Limits {
  int threads = 4;                          // connections that are served at once
  size_t waiting = 64;                      // that wait for a thread; what comes beyond is closed
  size_t request_bytes = size_t{16} << 10;  // of a request as a whole
  std::chrono::milliseconds time{10'000};   // from the first byte read to the last one written
  // A connection that has had this long, and neither sends nor takes anything, gives its thread to one that waits.
  std::chrono::milliseconds grace{100};
};

}  // namespace kith::http
