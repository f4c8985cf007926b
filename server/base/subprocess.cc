#include "server/base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/status.h"

namespace kith {
namespace {

constexpr int kNotStarted = 127;
constexpr int kPollMilliseconds = 50;
constexpr absl::Duration kReapPause = absl::Milliseconds(2);

// All that the child needs between fork and exec, made before the fork: there it may call only what is safe in a
// signal handler, because another thread may have held any lock.
struct Launch {
  std::vector<char*> argv;
  std::vector<char*> environment;
  SubprocessLimits limits;
  pid_t parent;
  int null_fd;
  int output_fd;
};

void Limit(__rlimit_resource resource, int64_t value) {
  const rlimit limit{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  setrlimit(resource, &limit);
}

[[noreturn]] void RunChild(const Launch& launch) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != launch.parent) _exit(kNotStarted);  // it died before that
  for (const int signal : {SIGTERM, SIGINT, SIGPIPE, SIGHUP}) {
    struct sigaction by_default = {};
    by_default.sa_handler = SIG_DFL;
    sigaction(signal, &by_default, nullptr);
  }
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &ignore, nullptr);  // a file at its limit is a failed write, which the program can tell of
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(launch.null_fd, STDIN_FILENO) < 0 || dup2(launch.output_fd, STDOUT_FILENO) < 0 ||
      dup2(launch.null_fd, STDERR_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) != 0) {
    _exit(kNotStarted);
  }
  Limit(RLIMIT_CORE, 0);
  if (launch.limits.memory_bytes > 0) Limit(RLIMIT_AS, launch.limits.memory_bytes);
  if (launch.limits.file_bytes > 0) Limit(RLIMIT_FSIZE, launch.limits.file_bytes);
  if (launch.limits.cpu_seconds > 0) Limit(RLIMIT_CPU, launch.limits.cpu_seconds);
  execve(launch.argv[0], launch.argv.data(), launch.environment.data());
  _exit(kNotStarted);
}

// Reads and reaps one child.
class Child {
 public:
  Child(pid_t pid, int output_fd) : pid_(pid), output_fd_(output_fd) {}
  ~Child() {
    if (!reaped_) {
      Kill();
      int status = 0;
      while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
      }
    }
    CloseOutput();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void Kill() const { kill(pid_, SIGKILL); }

  // Waits a little for output, and takes it.
  void Read(int64_t keep, std::string* output) {
    if (output_fd_ < 0) return absl::SleepFor(kReapPause);
    pollfd ready{output_fd_, POLLIN, 0};
    if (poll(&ready, 1, kPollMilliseconds) <= 0) return;
    char buffer[4096];
    const ssize_t count = read(output_fd_, buffer, sizeof(buffer));
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count <= 0) return CloseOutput();
    const auto room = static_cast<size_t>(std::max<int64_t>(0, keep - static_cast<int64_t>(output->size())));
    output->append(buffer, std::min(room, static_cast<size_t>(count)));
  }

  // Whether it has ended and all of its output is read.
  bool Ended(SubprocessResult* result) {
    int status = 0;
    if (output_fd_ >= 0 && !killed_) return false;  // its end closes stdout
    const pid_t got = waitpid(pid_, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) return false;
    reaped_ = true;
    if (got < 0) return true;  // somebody else took its end: neither an exit code nor a signal is known
    if (WIFEXITED(status)) result->exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result->signal = WTERMSIG(status);
    return true;
  }

  void KillNow() {
    Kill();
    killed_ = true;
    CloseOutput();
  }

 private:
  void CloseOutput() {
    if (output_fd_ >= 0) close(std::exchange(output_fd_, -1));
  }

  const pid_t pid_;
  int output_fd_;
  bool killed_ = false;
  bool reaped_ = false;
};

std::vector<std::string> Environment() {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, "OMP_NUM_THREADS=")) environment.emplace_back(*variable);
  }
  environment.emplace_back("OMP_NUM_THREADS=1");
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>* strings) {
  std::vector<char*> pointers;
  for (std::string& string : *strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

absl::Status NotStarted(const std::string& program, const char* what, int error) {
  return Error(Reason::kInternal, absl::StrCat(program, " could not be started: ", what, ": ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<SubprocessResult> RunSubprocess(const std::string& program, const std::vector<std::string>& arguments,
                                               const SubprocessLimits& limits, const std::function<bool()>& cancelled) {
  std::vector<std::string> argument_copies = {program};
  argument_copies.insert(argument_copies.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = Environment();
  const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_fd < 0) return NotStarted(program, "opening /dev/null", errno);
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) {
    const int error = errno;
    close(null_fd);
    return NotStarted(program, "making a pipe", error);
  }
  const Launch launch{Pointers(&argument_copies), Pointers(&environment), limits, getpid(), null_fd, output[1]};
  const pid_t pid = fork();
  if (pid == 0) RunChild(launch);
  const int fork_error = errno;
  close(null_fd);
  close(output[1]);
  if (pid < 0) {
    close(output[0]);
    return NotStarted(program, "making a process", fork_error);
  }

  Child child(pid, output[0]);
  SubprocessResult result;
  const absl::Time deadline = absl::Now() + limits.time;
  while (!child.Ended(&result)) {
    child.Read(limits.output_bytes, &result.output);
    const bool over = result.timed_out || result.cancelled;
    if (!over && absl::Now() > deadline) result.timed_out = true;
    if (!over && cancelled && cancelled()) result.cancelled = true;
    if (!over && (result.timed_out || result.cancelled)) child.KillNow();
  }
  if (result.exit_code == kNotStarted) return NotStarted(program, "running it", ENOEXEC);
  return result;
}

}  // namespace kith
