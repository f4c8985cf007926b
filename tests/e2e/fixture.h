// A folder of its own for every test, a server in it, and the client.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/process.h"

namespace kith::e2e {

constexpr int kDimension = 32;  // of generated frames

class EndToEnd : public ::testing::Test {
 protected:
  EndToEnd();
  ~EndToEnd() override;

  // Starts kithd over the test's data folder and waits until it serves.
  void StartServer(const std::string& listen = "127.0.0.1:0", const ProcessOptions& options = {});
  // Its exit code, after the signal.
  int StopServer(int signal);

  // kith against the server.
  Finished Kith(const std::vector<std::string>& arguments, const ProcessOptions& options = {}) const;
  std::unique_ptr<Process> StartKith(const std::vector<std::string>& arguments,
                                     const ProcessOptions& options = {}) const;
  // The same with --json; it has to succeed. What it printed last.
  nlohmann::json KithJson(std::vector<std::string> arguments) const;

  // A folder of generated frames, made once: `rows` of kDimension values.
  std::string GenerateFrames(int rows, int seed = 1) const;

  // A client that comes now gets a right answer of the experiment "voice", trained on such frames.
  void ExpectServing() const;
  // The server's, in bytes: what it has, and the most that it had.
  int64_t Memory() const { return StatusOf("VmRSS"); }
  int64_t PeakMemory() const { return StatusOf("VmHWM"); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string data_dir() const { return Path("data"); }
  static std::string ReadFile(const std::string& path);

  std::string folder_;
  std::unique_ptr<Process> server_;
  std::string address_;

 private:
  // A figure of the server's process in KiB, here in bytes.
  int64_t StatusOf(const std::string& field) const;
};

// Where the binaries are.
std::string Kithd();
std::string KithClient();

// The object on the last line of `out`.
nlohmann::json LastJson(const std::string& out);

}  // namespace kith::e2e
