// For steps that several threads would only slow down, or that are to be timed on one.
#pragma once

#include "server/retrieval/platform.h"

namespace kith::retrieval {

// faiss and BLAS use one thread when called from the calling thread, until this goes away.
class OneThread {
 public:
  OneThread() : before_(ThreadsOfThisThread()) { SetThreadsOfThisThread(1); }
  ~OneThread() { SetThreadsOfThisThread(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int before_;
};

}  // namespace kith::retrieval
