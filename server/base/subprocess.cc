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
#include "server/base/close_fds.h"
#include "server/base/status.h"

namespace kith {
namespace {

constexpr int kNotStarted = 127;  // as a shell says it; what counts is the Failure that comes with it
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
  int failure_fd;
};

// Why the program was not started: what the child says on a pipe that a successful exec closes.
struct Failure {
  enum Step { kFiles, kProgram } step;
  int error;  // errno
};

[[noreturn]] void Fail(const Launch& launch, Failure::Step step) {
  const Failure failure{step, errno};
  while (write(launch.failure_fd, &failure, sizeof(failure)) < 0 && errno == EINTR) {
  }
  _exit(kNotStarted);
}

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
      dup2(launch.null_fd, STDERR_FILENO) < 0 || !CloseOnExecFrom(STDERR_FILENO + 1)) {
    Fail(launch, Failure::kFiles);
  }
  Limit(RLIMIT_CORE, 0);
  if (launch.limits.memory_bytes > 0) Limit(RLIMIT_AS, launch.limits.memory_bytes);
  if (launch.limits.file_bytes > 0) Limit(RLIMIT_FSIZE, launch.limits.file_bytes);
  if (launch.limits.cpu_seconds > 0) Limit(RLIMIT_CPU, launch.limits.cpu_seconds);
  execve(launch.argv[0], launch.argv.data(), launch.environment.data());
  Fail(launch, Failure::kProgram);
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

// A file descriptor that is closed with this object.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd) {
    Close();
    fd_ = fd;
  }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

bool MakePipe(Fd* read_end, Fd* write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  read_end->Reset(ends[0]);
  write_end->Reset(ends[1]);
  return true;
}

// Waits until the program runs, or the child has said why it does not.
absl::Status CheckStarted(const std::string& program, int failure_fd) {
  Failure failure{};
  ssize_t count;
  do {
    count = read(failure_fd, &failure, sizeof(failure));
  } while (count < 0 && errno == EINTR);
  if (count != sizeof(failure)) return absl::OkStatus();  // what else became of it, its end tells
  return NotStarted(program, failure.step == Failure::kFiles ? "giving it no files" : "running it", failure.error);
}

}  // namespace

absl::StatusOr<SubprocessResult> RunSubprocess(const std::string& program, const std::vector<std::string>& arguments,
                                               const SubprocessLimits& limits, const std::function<bool()>& cancelled) {
  std::vector<std::string> argument_copies = {program};
  argument_copies.insert(argument_copies.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = Environment();
  Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null.get() < 0) return NotStarted(program, "opening /dev/null", errno);
  Fd output, output_end, failure, failure_end;
  if (!MakePipe(&output, &output_end) || !MakePipe(&failure, &failure_end)) {
    return NotStarted(program, "making a pipe", errno);
  }
  const Launch launch{Pointers(&argument_copies), Pointers(&environment), limits, getpid(), null.get(),
                      output_end.get(),           failure_end.get()};
  const pid_t pid = fork();
  if (pid == 0) RunChild(launch);
  if (pid < 0) return NotStarted(program, "making a process", errno);
  output_end.Close();
  failure_end.Close();

  Child child(pid, output.Release());
  if (absl::Status status = CheckStarted(program, failure.get()); !status.ok()) return status;
  SubprocessResult result;
  const absl::Time deadline = absl::Now() + limits.time;
  while (!child.Ended(&result)) {
    child.Read(limits.output_bytes, &result.output);
    const bool over = result.timed_out || result.cancelled;
    if (!over && absl::Now() > deadline) result.timed_out = true;
    if (!over && cancelled && cancelled()) result.cancelled = true;
    if (!over && (result.timed_out || result.cancelled)) child.KillNow();
  }
  return result;
}

}  // namespace kith
