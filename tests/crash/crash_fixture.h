// A data folder of its own for each test, and a server over it that ends and comes back.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "client/cpp/client.h"
#include "tests/crash/server_process.h"

namespace kith::crash {

// A whole number from the environment: how tests/crash/run.sh asks for the long form.
int64_t Setting(const char* variable, int64_t otherwise);

// True in the long form.
bool IsLong();

class CrashTest : public ::testing::Test {
 protected:
  CrashTest();
  ~CrashTest() override;

  // Starts a server and a client of it.
  void Start(const std::string& program = Kithd());
  // Starts kithd_faulty, whose faults are those of Arm.
  void StartFaulty();
  // The server dies, and another comes. The former must not have died of anything else.
  void KillAndStart(const std::string& program = Kithd());

  // `order` is POINT[:NTH[+]][=ACTION], see server/base/fault.h.
  void Arm(const std::string& order) const;
  void Disarm() const { Arm(""); }
  std::string fault_file() const { return folder_ + "/fault"; }

  ServerProcess& server() { return *server_; }
  Client& client() { return *client_; }
  void Forget() {
    client_.reset();
    server_.reset();
  }

  // Of what was never committed nothing is left behind; two generations an experiment at most. Folding makes a new
  // snapshot while the server runs: so for when none does, or none is due.
  void ExpectNoLeftovers(int64_t experiments) const;

  // `kithd --check` finds the folder good. It looks at a copy, so that the next start finds all as the server that is
  // dead left it.
  void ExpectSound() const;

  // The server drains; then both of the above.
  void StopAndLook(int64_t experiments);

  // Of the servers that are started from now on: what stands in their configuration file besides.
  void set_config(const std::string& yaml);
  const std::string& config() const { return config_; }  // the file's path

  const std::string& folder() const { return folder_; }
  std::string data_dir() const { return folder_ + "/data"; }

 private:
  void StartWith(const std::string& program, const std::string& fault);

  std::string folder_;
  std::string config_;  // its path; empty: none
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

}  // namespace kith::crash
