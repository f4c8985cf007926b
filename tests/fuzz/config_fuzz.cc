// The configuration file.
#include <string>

#include "server/config/config.h"
#include "tests/fuzz/target.h"

using kith::fuzz::Require;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = kith::config::Parse(text, "kithd.yaml");
  if (!config.ok()) {
    Require(std::string(config.status().message()).rfind("kithd.yaml", 0) == 0, "an error that does not name the file");
    return 0;
  }
  Require(config->search.queue_rows >= config->limits.rows, "a queue without room for a message");
  Require(config->memory.budget.Of(int64_t{8} << 30) >= kith::config::kLeastBudget, "a budget below the least");
  return 0;
}
