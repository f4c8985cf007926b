// docs/operations.md tells of every metric, and of no other.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

#include "server/telemetry/metrics.h"

namespace kith::telemetry {
namespace {

// Types by name.
using Types = std::map<std::string, std::string>;

Types FindAll(const std::string& text, const std::regex& line) {
  Types types;
  for (std::sregex_iterator found(text.begin(), text.end(), line), end; found != end; ++found) {
    EXPECT_TRUE(types.emplace((*found)[1], (*found)[2]).second) << (*found)[1] << " is there twice";
  }
  return types;
}

TEST(MetricsDocs, NameEveryMetricWithItsType) {
  Metrics metrics({"1.2.3", "1.7.3", "AVX2"});
  // Those that begin with the first of their kind.
  metrics.CountCall(Rpc::kSearch, absl::StatusCode::kOk);
  metrics.CountStreamBlock(Rpc::kStreamSearch, absl::StatusCode::kOk);
  metrics.CountRows(Rpc::kSearch, absl::StatusCode::kOk, 1);
  std::ostringstream docs;
  docs << std::ifstream(KITH_PROJECT_DIR "/docs/operations.md").rdbuf();
  const Types served = FindAll(metrics.Text({}), std::regex("# TYPE (\\S+) (\\S+)\n"));
  const Types described = FindAll(docs.str(), std::regex("\n\\| `((?:kith|process)_[a-z_]+)` \\| ([a-z]+) \\|"));
  EXPECT_GE(served.size(), 39u);
  EXPECT_EQ(described, served);
}

}  // namespace
}  // namespace kith::telemetry
