#include "server/base/threads.h"

#include <sys/resource.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/base/cgroup.h"

namespace kith {
namespace {

constexpr char kThreads[] = "/proc/self/task";

}  // namespace

std::vector<pid_t> ThreadsNamed(std::string_view name) {
  std::vector<pid_t> found;
  std::error_code error;
  for (std::filesystem::directory_iterator next(kThreads, error), end; !error && next != end; next.increment(error)) {
    const std::string comm = ReadSystemFile(next->path() / "comm");
    pid_t id = 0;
    if (absl::StripSuffix(comm, "\n") == absl::string_view(name.data(), name.size()) &&
        absl::SimpleAtoi(next->path().filename().string(), &id)) {
      found.push_back(id);
    }
  }
  return found;
}

Clock::duration ProcessorTimeOf(pid_t thread) {
  // As glibc's pthread_getcpuclockid makes it of the id that a pthread_t has: CPUCLOCK_PERTHREAD, CPUCLOCK_SCHED.
  const auto clock = static_cast<clockid_t>((~static_cast<unsigned>(thread) << 3) | 4 | 2);
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

ThreadRest RestOf(pid_t thread) {
  ThreadRest rest;
  const std::string status = ReadSystemFile(absl::StrCat(kThreads, "/", thread, "/status"));
  for (absl::string_view line : absl::StrSplit(status, '\n')) {
    if (absl::ConsumePrefix(&line, "State:\t")) rest.running = absl::StartsWith(line, "R");
    if (absl::ConsumePrefix(&line, "voluntary_ctxt_switches:\t")) (void)absl::SimpleAtoi(line, &rest.sleeps);
  }
  return rest;
}

Clock::duration TimeAwake() {
  thread_local int64_t seen = 0;
  thread_local TimePoint awake_since;
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const TimePoint now = Clock::now();
  if (std::exchange(seen, usage.ru_nvcsw) != usage.ru_nvcsw) awake_since = now;
  return now - awake_since;
}

}  // namespace kith
