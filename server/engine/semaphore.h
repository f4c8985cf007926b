// A counting semaphore. Unlike a condition variable it does not take a mutex again when it wakes, which costs another
// system call for every block.
#pragma once

#include <semaphore.h>

namespace kith::engine {

// Thread-safe.
class Semaphore {
 public:
  Semaphore() { sem_init(&semaphore_, 0, 0); }
  ~Semaphore() { sem_destroy(&semaphore_); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  void Post() { sem_post(&semaphore_); }
  void Wait() {
    while (sem_wait(&semaphore_) != 0) {  // a signal came in between
    }
  }

 private:
  sem_t semaphore_;
};

}  // namespace kith::engine
