// Which cores there are, and this process on one of them for a while.
#pragma once

#include <sched.h>

#include <vector>

namespace kith::bench {

// The numbers of the cores that this process may run on.
std::vector<int> UsableCores();

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
