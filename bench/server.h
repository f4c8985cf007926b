// A kithd for a benchmark that calls it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cpp/client.h"

namespace kith::bench {

// Of the server's process, since it was started.
struct ServerUse {
  double cpu_seconds = 0;  // to a hundredth
  int64_t sleeps = 0;      // voluntary context switches of its threads
};

// Says why, ends every Server with its folder, and exits with 1.
[[noreturn]] void Die(const std::string& why);

// From now on SIGINT and SIGTERM end every Server as well before they end this process. Call before any thread is
// started.
void CleanUpOnSignals();

// kithd on a free port over a folder of its own, which goes with it.
class Server {
 public:
  // `config` is YAML.
  explicit Server(const std::string& kithd, const std::string& config = "");
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Ends it and starts it over the same folder, on one core where one is named; the address is another one then.
  void Restart(std::optional<int> core = {});

  const std::string& address() const { return address_; }
  // The most memory that it has had, in bytes; from now on what it then has counts.
  int64_t PeakMemory() const;
  int64_t Memory() const;
  void ForgetPeak() const;
  ServerUse Use() const;

 private:
  void Start(std::optional<int> core);
  void Stop();
  int64_t StatusField(const std::string& field) const;

  const std::string kithd_;
  pid_t pid_ = 0;
  std::string folder_;
  std::string address_;
};

// Sorts the times.
double Percentile(std::vector<double>* times, double share);

// Trains `name` by RVC's recipe, or by a faiss factory string.
Experiment TrainVoice(Client& client, const std::string& name, FramesView frames, const std::string& factory = "");

// The same by any recipe.
Experiment TrainVoice(Client& client, const std::string& name, FramesView frames, const TrainOptions& train);

}  // namespace kith::bench
