#include "tests/e2e/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace kith::e2e {
namespace {

std::string TemporaryFile(const std::string& content) {
  std::string path = (std::filesystem::temp_directory_path() / "kith-e2e-XXXXXX").string();
  const int fd = mkstemp(path.data());
  close(fd);
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

[[noreturn]] void RunChild(const std::string& program, const std::vector<std::string>& arguments,
                           const ProcessOptions& options, int input, int output, int errors) {
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  if (options.file_size_limit) {
    const rlimit limit{*options.file_size_limit, *options.file_size_limit};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  for (const std::string& variable : options.environment) putenv(const_cast<char*>(variable.c_str()));
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  for (const std::string& argument : options.arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  _exit(127);
}

}  // namespace

Process::Process(const std::string& program, const std::vector<std::string>& arguments, const ProcessOptions& options) {
  err_path_ = TemporaryFile("");
  const std::string input_path = TemporaryFile(options.input);
  const int input = open(input_path.c_str(), O_RDONLY | O_CLOEXEC);
  const int errors = open(err_path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  std::filesystem::remove(input_path);
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) abort();
  pid_ = fork();
  if (pid_ == 0) RunChild(program, arguments, options, input, output[1], errors);
  close(input);
  close(errors);
  close(output[1]);
  out_fd_ = output[0];
}

Process::~Process() {
  if (!exit_) {
    Signal(SIGKILL);
    Wait();
  }
  std::filesystem::remove(err_path_);
}

bool Process::ReadUntil(const std::function<bool(const std::string&)>& condition) {
  while (!condition(out_)) {
    char buffer[4096];
    const ssize_t got = read(out_fd_, buffer, sizeof(buffer));
    if (got <= 0) return false;
    out_.append(buffer, static_cast<size_t>(got));
  }
  return true;
}

void Process::Signal(int signal) const {
  if (!exit_) kill(pid_, signal);
}

int Process::Wait() {
  if (exit_) return *exit_;
  ReadUntil([](const std::string&) { return false; });
  close(out_fd_);
  int status = 0;
  waitpid(pid_, &status, 0);
  exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return *exit_;
}

std::string Process::err() const {
  std::ostringstream text;
  text << std::ifstream(err_path_, std::ios::binary).rdbuf();
  return text.str();
}

Finished RunProgram(const std::string& program, const std::vector<std::string>& arguments,
                    const ProcessOptions& options) {
  Process process(program, arguments, options);
  const int exit_code = process.Wait();
  return {exit_code, process.out(), process.err()};
}

}  // namespace kith::e2e
