// This process on one core for a while.
#pragma once

#include <sched.h>

namespace kith::bench {

// All its threads, and those that they start; back where they were with the end of this object.
class Pinned {
 public:
  explicit Pinned(int core);
  ~Pinned();
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  cpu_set_t before_;
};

// Lets this process and the servers it starts open so many files and sockets.
void AllowOpenFiles(unsigned count);

}  // namespace kith::bench
