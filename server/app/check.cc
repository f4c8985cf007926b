#include "server/app/check.h"

#include <cstdio>

#include "server/retrieval/platform.h"
#include "server/retrieval/serialize.h"
#include "server/storage/check.h"

namespace kith::app {
namespace {

absl::Status ReadIndex(const storage::GenerationInfo& info, retrieval::FrameView frames, storage::ByteSource source) {
  return retrieval::ReadIndex(source, frames, info.recipe.metric, info.report).status();
}

void Print(const storage::Checked& checked) {
  std::printf("%s %s", checked.faults.empty() ? "ok     " : "DAMAGED", checked.what.c_str());
  if (checked.generations > 0) {
    std::printf(": %lld generations, %lld rows", static_cast<long long>(checked.generations),
                static_cast<long long>(checked.rows));
  }
  for (const absl::Status& fault : checked.faults) std::printf("; %s", std::string(fault.message()).c_str());
  std::printf("\n");
}

}  // namespace

int CheckData(const std::string& data_dir) {
  retrieval::InitializeFaiss();
  const absl::Status status = storage::CheckDataFolder(data_dir, ReadIndex, Print);
  if (status.ok()) return 0;
  std::fflush(stdout);
  std::fprintf(stderr, "kithd: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace kith::app
