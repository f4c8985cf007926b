// Command lines as they are run, without a process.
#pragma once

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/app.h"
#include "gtest/gtest.h"
#include "tests/cli/temporary_folder.h"
#include "tests/client/fake_server.h"

namespace kith::cli {

struct Result {
  int exit_code;
  std::string out;
  std::string err;

  Json json() const { return Json::parse(out); }
  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    const Json report = json();
    for (const auto& [key, value] : report.items()) keys.push_back(key);
    return keys;
  }
};

inline Result Kith(std::vector<const char*> arguments, int in_fd = -1, int out_fd = -1) {
  std::ostringstream out;
  std::ostringstream err;
  Cancellation cancellation;
  Context context{out, err, false, in_fd, out_fd, cancellation};
  arguments.insert(arguments.begin(), "kith");
  const int exit_code = RunKith(static_cast<int>(arguments.size()), arguments.data(), context);
  return {exit_code, out.str(), err.str()};
}

// A fake server, a folder, and a file of frames in it.
class AppTest : public ::testing::Test {
 protected:
  Result Call(std::vector<const char*> arguments) {
    arguments.push_back("--server");
    arguments.push_back(target_.c_str());
    return Kith(std::move(arguments));
  }

  test::FakeServer server_;
  const std::string target_ = server_.target();
  const TemporaryFolder folder_;
  const std::string frames_ = folder_.WriteNpy("frames.npy", std::vector<float>(60, 5), 2);  // 30 x 2
  const std::string out_ = folder_.path() + "/out.npy";
};

}  // namespace kith::cli
