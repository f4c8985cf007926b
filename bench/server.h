// A kithd for a benchmark that calls it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "client/cpp/client.h"

namespace kith::bench {

// Of the server's process, since it was started.
struct ServerUse {
  double cpu_seconds = 0;
  int64_t sleeps = 0;  // voluntary context switches of its threads
};

[[noreturn]] void Die(const std::string& why);

// kithd on a free port over a folder of its own, which goes with it.
class Server {
 public:
  // `config` is YAML.
  explicit Server(const char* kithd, const std::string& config = "");
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& address() const { return address_; }
  std::string IndexFile() const;
  // The most memory that it has had, in bytes; from now on what it then has counts.
  int64_t PeakMemory() const;
  int64_t Memory() const;
  void ForgetPeak() const;
  ServerUse Use() const;

 private:
  int64_t StatusField(const std::string& field) const;

  pid_t pid_;
  std::string folder_;
  std::string address_;
};

// Sorts the times.
double Percentile(std::vector<double>* times, double share);

// Trains `name` by RVC's recipe, or by a faiss factory string.
Experiment TrainVoice(Client& client, const std::string& name, FramesView frames, const std::string& factory = "");

}  // namespace kith::bench
