#include "bench/server.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

namespace kith::bench {
namespace {

sigset_t EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// What has to be gone when this process is.
struct Living {
  std::mutex mutex;
  std::set<pid_t> processes;
  std::set<std::string> folders;
};

Living& AllLiving() {
  static auto* const kLiving = new Living;  // never destroyed: a signal may come at any time
  return *kLiving;
}

void EndAll() {
  std::lock_guard lock(AllLiving().mutex);
  for (const pid_t process : AllLiving().processes) {
    kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
  }
  for (const std::string& folder : AllLiving().folders) std::filesystem::remove_all(folder);
  AllLiving().processes.clear();
  AllLiving().folders.clear();
}

}  // namespace

void Die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  EndAll();
  std::_Exit(1);
}

void CleanUpOnSignals() {
  const sigset_t signals = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);  // a reader of stdout that goes away ends nothing
  std::thread([signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    EndAll();
    std::_Exit(128 + signal);
  }).detach();
}

Server::Server(const std::string& kithd, const std::string& config) : kithd_(kithd) {
  folder_ = (std::filesystem::temp_directory_path() / "kith-bench-XXXXXX").string();
  if (mkdtemp(folder_.data()) == nullptr) Die("no temporary folder");
  {
    std::lock_guard lock(AllLiving().mutex);
    AllLiving().folders.insert(folder_);
  }
  std::ofstream(folder_ + "/kithd.yaml") << "log:\n  level: warn\n" << config;
  Start({});
}

Server::~Server() {
  Stop();
  std::filesystem::remove_all(folder_);
  std::lock_guard lock(AllLiving().mutex);
  AllLiving().folders.erase(folder_);
}

void Server::Restart(std::optional<int> core) {
  Stop();
  Start(core);
}

void Server::Start(std::optional<int> core) {
  const std::string config = folder_ + "/kithd.yaml";
  const std::string data_dir = folder_ + "/data";
  int out[2];
  if (pipe(out) != 0) Die("no pipe");
  const pid_t parent = getpid();
  std::unique_lock lock(AllLiving().mutex);
  pid_ = fork();
  if (pid_ == 0) {
    const sigset_t signals = EndingSignals();
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(0);
    if (core) {
      cpu_set_t cores;
      CPU_ZERO(&cores);
      CPU_SET(*core, &cores);
      if (sched_setaffinity(0, sizeof(cores), &cores) != 0) _exit(126);
    }
    dup2(out[1], STDOUT_FILENO);
    execl(kithd_.c_str(), kithd_.c_str(), "--config", config.c_str(), "--listen", "127.0.0.1:0", "--data-dir",
          data_dir.c_str(), nullptr);
    _exit(127);
  }
  AllLiving().processes.insert(pid_);
  lock.unlock();
  close(out[1]);
  FILE* lines = fdopen(out[0], "r");
  char address[64];
  if (std::fscanf(lines, "listening on %63s", address) != 1) Die(kithd_ + " does not serve");
  std::fclose(lines);
  address_ = address;
}

void Server::Stop() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  std::lock_guard lock(AllLiving().mutex);
  AllLiving().processes.erase(pid_);
}

int64_t Server::StatusField(const std::string& field) const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string word; status >> word;) {
    int64_t kibibytes = 0;
    if (word == field && status >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

int64_t Server::PeakMemory() const { return StatusField("VmHWM:"); }
int64_t Server::Memory() const { return StatusField("VmRSS:"); }
void Server::ForgetPeak() const { std::ofstream("/proc/" + std::to_string(pid_) + "/clear_refs") << "5"; }

ServerUse Server::Use() const {
  ServerUse use;
  const std::string process = "/proc/" + std::to_string(pid_);
  std::string stat;
  std::getline(std::ifstream(process + "/stat"), stat);
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  int64_t utime = 0;
  int64_t stime = 0;
  fields >> utime >> stime;
  use.cpu_seconds = static_cast<double>(utime + stime) / static_cast<double>(sysconf(_SC_CLK_TCK));
  for (const auto& thread : std::filesystem::directory_iterator(process + "/task")) {
    std::ifstream status(thread.path() / "status");
    for (std::string word; status >> word;) {
      int64_t switches = 0;
      if (word == "voluntary_ctxt_switches:" && status >> switches) use.sleeps += switches;
    }
  }
  return use;
}

double Percentile(std::vector<double>* times, double share) {
  std::sort(times->begin(), times->end());
  return (*times)[static_cast<size_t>(share * static_cast<double>(times->size() - 1))];
}

Experiment TrainVoice(Client& client, const std::string& name, FramesView frames, const std::string& factory) {
  TrainOptions train;
  train.recipe = Recipe{};
  if (factory.empty()) {
    train.recipe->name = "rvc";
  } else {
    train.recipe->factory = factory;
  }
  return TrainVoice(client, name, frames, train);
}

Experiment TrainVoice(Client& client, const std::string& name, FramesView frames, const TrainOptions& train) {
  MemorySource source(frames);
  auto trained = client.Train(name, source, train);
  if (!trained.ok()) Die(std::string(trained.status().message()));
  return *std::move(trained);
}

}  // namespace kith::bench
