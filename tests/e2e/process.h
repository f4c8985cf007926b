// The real binaries, run as a user runs them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kith::e2e {

struct ProcessOptions {
  std::vector<std::string> arguments;       // behind those given
  std::string input;                        // given on stdin, which then ends
  std::vector<std::string> environment;     // NAME=value, on top of this process's
  std::optional<uint64_t> file_size_limit;  // RLIMIT_FSIZE in bytes
};

// A child process whose stdout and stderr are gathered. Ended, if need be, and waited for when this goes away.
class Process {
 public:
  Process(const std::string& program, const std::vector<std::string>& arguments, const ProcessOptions& options = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Reads on until `condition` holds for what stdout has given so far; false if the process closed it first.
  bool ReadUntil(const std::function<bool(const std::string&)>& condition);

  void Signal(int signal) const;

  // Reads the rest and waits for the end: the exit code, or -signal.
  int Wait();

  const std::string& out() const { return out_; }
  // What stderr has given; whole after Wait.
  std::string err() const;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int out_fd_ = -1;
  std::string err_path_;
  std::string out_;
  std::optional<int> exit_;
};

struct Finished {
  int exit_code;
  std::string out;
  std::string err;
};

// Runs a program to its end.
Finished RunProgram(const std::string& program, const std::vector<std::string>& arguments,
                    const ProcessOptions& options = {});

}  // namespace kith::e2e
