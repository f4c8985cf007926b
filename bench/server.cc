#include "bench/server.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace kith::bench {

void Die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

Server::Server(const char* kithd, const std::string& config) {
  folder_ = (std::filesystem::temp_directory_path() / "kith-bench-XXXXXX").string();
  if (mkdtemp(folder_.data()) == nullptr) Die("no temporary folder");
  const std::string config_path = folder_ + "/kithd.yaml";
  std::ofstream(config_path) << "log:\n  level: warn\n" << config;
  const std::string data_dir = folder_ + "/data";
  int out[2];
  if (pipe(out) != 0) Die("no pipe");
  pid_ = fork();
  if (pid_ == 0) {
    dup2(out[1], STDOUT_FILENO);
    execl(kithd, kithd, "--config", config_path.c_str(), "--listen", "127.0.0.1:0", "--data-dir", data_dir.c_str(),
          nullptr);
    _exit(127);
  }
  close(out[1]);
  FILE* lines = fdopen(out[0], "r");
  char address[64];
  if (std::fscanf(lines, "listening on %63s", address) != 1) Die("kithd does not serve");
  address_ = address;
}

Server::~Server() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  std::filesystem::remove_all(folder_);
}

std::string Server::IndexFile() const {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    if (entry.path().filename() == "index.faiss") return entry.path().string();
  }
  Die("kithd has no index file");
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
  MemorySource source(frames);
  TrainOptions train;
  train.recipe = Recipe{};
  if (factory.empty()) {
    train.recipe->name = "rvc";
  } else {
    train.recipe->factory = factory;
  }
  auto trained = client.Train(name, source, train);
  if (!trained.ok()) Die(std::string(trained.status().message()));
  return *std::move(trained);
}

}  // namespace kith::bench
