#include "tests/crash/server_process.h"

#include <vector>

namespace kith::crash {
namespace {

e2e::ProcessOptions Options(const std::string& fault, const std::string& config) {
  e2e::ProcessOptions options;
  if (!config.empty()) options.arguments = {"--config", config};
  if (!fault.empty()) options.environment.push_back("KITH_FAULT=" + fault);
  return options;
}

}  // namespace

std::string Kithd() { return KITH_BIN_FOLDER "/kithd"; }
std::string KithdFaulty() { return KITH_BIN_FOLDER "/kithd_faulty"; }

e2e::Finished CheckData(const std::string& data_dir) { return e2e::RunProgram(Kithd(), {"--check", data_dir}); }

ServerProcess::ServerProcess(const std::string& program, const std::string& data_dir, const std::string& fault,
                             const std::string& config)
    : process_(program, {"--listen", "127.0.0.1:0", "--data-dir", data_dir}, Options(fault, config)) {}

bool ServerProcess::WaitUntilServing() {
  const std::string announced = "listening on ";
  if (!process_.ReadUntil([](const std::string& out) { return out.find('\n') != std::string::npos; })) return false;
  address_ = process_.out().substr(announced.size());
  address_.resize(address_.find('\n'));
  return true;
}

int ServerProcess::End(int signal) {
  process_.Signal(signal);
  return process_.Wait();
}

std::unique_ptr<Client> ServerProcess::Connect() const {
  ClientOptions options;
  options.target = address_;
  options.connect_timeout = absl::Milliseconds(500);  // how long a call goes on once the server is dead
  options.unary_timeout = absl::Seconds(120);
  return std::make_unique<Client>(options);
}

}  // namespace kith::crash
