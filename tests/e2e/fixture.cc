#include "tests/e2e/fixture.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/cpp/client.h"

namespace kith::e2e {

std::string Kithd() { return KITH_BIN_FOLDER "/kithd"; }
std::string KithClient() { return KITH_BIN_FOLDER "/kith"; }

nlohmann::json LastJson(const std::string& out) {
  const size_t end = out.find_last_not_of('\n');
  if (end == std::string::npos) return {};
  const size_t start = out.rfind('\n', end);
  return nlohmann::json::parse(out.substr(start == std::string::npos ? 0 : start + 1), nullptr, false);
}

EndToEnd::EndToEnd() {
  folder_ = (std::filesystem::temp_directory_path() / "kith-e2e-dir-XXXXXX").string();
  if (mkdtemp(folder_.data()) == nullptr) abort();
}

EndToEnd::~EndToEnd() {
  server_.reset();
  std::filesystem::remove_all(folder_);
}

void EndToEnd::StartServer(const std::string& listen, const ProcessOptions& options) {
  server_ = std::make_unique<Process>(Kithd(), std::vector<std::string>{"--listen", listen, "--data-dir", data_dir()},
                                      options);
  ASSERT_TRUE(server_->ReadUntil([](const std::string& out) { return out.find('\n') != std::string::npos; }))
      << "kithd did not come up, exit " << server_->Wait() << ": " << server_->err();
  const std::string announced = "listening on ";
  ASSERT_EQ(server_->out().rfind(announced, 0), 0u) << server_->out();
  address_ = server_->out().substr(announced.size());
  address_.pop_back();
}

int EndToEnd::StopServer(int signal) {
  server_->Signal(signal);
  return server_->Wait();
}

Finished EndToEnd::Kith(const std::vector<std::string>& arguments, const ProcessOptions& options) const {
  auto process = StartKith(arguments, options);
  const int exit_code = process->Wait();
  return {exit_code, process->out(), process->err()};
}

std::unique_ptr<Process> EndToEnd::StartKith(const std::vector<std::string>& arguments,
                                             const ProcessOptions& options) const {
  ProcessOptions with_server = options;
  with_server.environment.push_back("KITH_SERVER=" + address_);
  return std::make_unique<Process>(KithClient(), arguments, with_server);
}

nlohmann::json EndToEnd::KithJson(std::vector<std::string> arguments) const {
  arguments.emplace_back("--json");
  const Finished finished = Kith(arguments);
  EXPECT_EQ(finished.exit_code, 0) << arguments[0] << ": " << finished.err;
  return LastJson(finished.out);
}

std::string EndToEnd::GenerateFrames(int rows, int seed) const {
  std::string path = Path("frames-" + std::to_string(rows) + "-" + std::to_string(seed));
  if (std::filesystem::exists(path)) return path;
  const Finished generated = RunProgram(KithClient(), {"generate", path, "--rows", std::to_string(rows), "--dimension",
                                                       std::to_string(kDimension), "--seed", std::to_string(seed)});
  EXPECT_EQ(generated.exit_code, 0) << generated.err;
  return path;
}

void EndToEnd::ExpectServing() const {
  Client client(ClientOptions{address_});
  const std::vector<float> row(kDimension, 0.5F);
  const auto found = client.Search("voice", FramesView(row, kDimension));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->ids.size(), 8u);
}

int64_t EndToEnd::StatusOf(const std::string& field) const {
  const std::string status = ReadFile("/proc/" + std::to_string(server_->pid()) + "/status");
  return std::atoll(status.c_str() + status.find(field + ":") + field.size() + 1) * 1024;
}

std::string EndToEnd::ReadFile(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

}  // namespace kith::e2e
