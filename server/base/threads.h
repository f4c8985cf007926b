// What the kernel tells of the threads of this process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "server/base/clock.h"

namespace kith {

// The ids of those that have the name; a thread that has just been started may not have it yet.
std::vector<pid_t> ThreadsNamed(std::string_view name);

// The processor time that it has had; 0 where there is no such thread. Takes much less time than RestOf.
Clock::duration ProcessorTimeOf(pid_t thread);

struct ThreadRest {
  bool running = false;  // or ready to
  int64_t sleeps = 0;    // how often it went to sleep
};
// All 0 where there is no such thread.
ThreadRest RestOf(pid_t thread);

// For how long the calling thread has been awake: 0 where it has slept since it last asked, else since the first time
// that it asked after it had. What a thread does that has not slept had been waiting for it.
Clock::duration TimeAwake();

}  // namespace kith
