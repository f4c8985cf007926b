// A kithd over a data folder, to be killed.
#pragma once

#include <memory>
#include <string>

#include "client/cpp/client.h"
#include "tests/e2e/process.h"

namespace kith::crash {

// Where the binaries are: what users run, and the one that heeds KITH_FAULT (server/base/fault.h).
std::string Kithd();
std::string KithdFaulty();

// `kithd --check` of a folder that no server uses.
e2e::Finished CheckData(const std::string& data_dir);

class ServerProcess {
 public:
  // Starts it; `fault` is the value of KITH_FAULT, `config` the path of a configuration file.
  ServerProcess(const std::string& program, const std::string& data_dir, const std::string& fault = "",
                const std::string& config = "");

  // Waits until it serves; false where it ended before.
  bool WaitUntilServing();

  // Ends it by the signal: the exit code, or -signal.
  int End(int signal);
  // The same without a signal, for one that ends by itself.
  int Wait() { return process_.Wait(); }

  // A client of its own connection.
  std::unique_ptr<Client> Connect() const;
  std::string err() const { return process_.err(); }

 private:
  e2e::Process process_;
  std::string address_;
};

}  // namespace kith::crash
