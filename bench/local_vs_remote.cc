// The aims of the real-time path in one run: a block that is sent to kithd and blended there beside the same block in a
// faiss in this process, and what else the server promises. docs/performance.md has what it gave.
//
//   local_vs_remote [--quick] [--json] [--rows NAME,...] [--kithd FILE] [--data FOLDER]
//
// Starts a kithd of its own, by default the one beside it, over a temporary folder. All ratios are of things measured
// side by side in this run. --quick takes few samples and leaves the long rows out. With --json stdout has one object,
// {"rows": [{"name", "ratio", "aim", "holds"}]}, and stderr all else.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "bench/aims/rows.h"
#include "server/retrieval/platform.h"

namespace kith::bench {
namespace {

struct Group {
  const char* name;
  void (*measure)(Stage&, Report&);
  bool quick;  // short enough for --quick
  const char* what;
};

constexpr Group kGroups[] = {
    {"n30000", TypicalVoiceRows, true, "a block at N 30,000 beside faiss; a call of its own beside a stream"},
    {"n100000", LargeVoiceRows, true, "a block at N 100,000; with --quick its lists are around frames drawn at random"},
    {"n7253", ShortVoiceRows, true, "a block at N 7,253"},
    {"recall", RecallRows, true, "recall@8 on real frames"},
    {"auto", AutoRows, true, "the recipe auto at N 30,000"},
    {"cpu", ServerCpuRows, true, "the server's processor time for a row, 64 clients"},
    {"memory", MemoryRows, true, "memory of a loaded voice"},
    {"streams", RealTimeRows, false, "1,000 real-time streams over 8 voices, one core for the server"},
    {"overload", OverloadRows, false, "more blocks than the server can search, and one client that floods it"},
    {"idle-streams", IdleStreamRows, false, "10,000 idle streams"},
    {"beside-adds", BesideAddRows, false, "searches beside additions"},
    {"beside-train", BesideTrainRows, false, "searches beside a training of 100,000 rows"},
    {"training", TrainingRows, false, "the time of a training of 100,000 rows"},
};

void PrintPlatform(const Stage& stage) {
  const retrieval::Platform platform = retrieval::DescribePlatform();
  const char* core_type = std::getenv("OPENBLAS_CORETYPE");
  std::printf("faiss %s for %s; BLAS %s (OPENBLAS_CORETYPE %s); the same on both sides\n", platform.faiss.c_str(),
              platform.instruction_set.c_str(), platform.blas.c_str(), core_type != nullptr ? core_type : "not set");
  std::printf("%d cores, %d dimensions, blocks of %d rows, k %d, default weighting, loopback TCP; %s\n",
              Baseline::Cores(), kDimension, kBlock, kNeighbors, stage.setting.kithd.c_str());
  if (!stage.has_real_frames()) {
    std::printf("no real frames in %s: generated ones in their place\n", stage.setting.data_folder.c_str());
  }
  std::printf("medians, with quartiles in parentheses\n");
}

bool Wanted(const Group& group, const std::set<std::string>& chosen, bool quick) {
  return chosen.empty() ? group.quick || !quick : chosen.count(group.name) > 0;
}

int Run(const Setting& setting, const std::set<std::string>& chosen, bool json) {
  const int out = dup(STDOUT_FILENO);
  if (json && dup2(STDERR_FILENO, STDOUT_FILENO) < 0) Die("stdout cannot be kept for the object");
  Stage stage(setting);
  PrintPlatform(stage);
  Report report;
  for (const Group& group : kGroups) {
    if (Wanted(group, chosen, setting.quick)) {
      std::printf("\n%s: %s\n", group.name, group.what);
      std::fflush(stdout);
      group.measure(stage, report);
    }
  }
  report.Print();
  for (const Group& group : kGroups) {
    if (!Wanted(group, chosen, setting.quick)) std::printf("left out: %s, %s\n", group.name, group.what);
  }
  std::fflush(stdout);
  if (json && dprintf(out, "%s\n", report.Json().c_str()) < 0) Die("stdout cannot be written");
  close(out);
  return 0;
}

std::string GroupNames() {
  std::string names;
  for (const Group& group : kGroups) names += (names.empty() ? "" : ", ") + std::string(group.name);
  return names;
}

int Main(int argc, char** argv) {
  Setting setting;
  setting.kithd = (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "kithd").string();
  setting.data_folder = KITH_SHARED_DATA;
  bool json = false;
  std::vector<std::string> rows;
  std::set<std::string> names;
  for (const Group& group : kGroups) names.insert(group.name);

  CLI::App app("Measures kithd beside faiss in this process.", "local_vs_remote");
  app.add_flag("--quick", setting.quick, "Few samples, without the long rows: less than 50 s");
  app.add_flag("--json", json, "One JSON object on stdout, all else on stderr");
  app.add_option("--rows", rows, "These only: " + GroupNames())->delimiter(',')->check(CLI::IsMember(names));
  app.add_option("--kithd", setting.kithd, "The server")->check(CLI::ExistingFile)->capture_default_str();
  app.add_option("--data", setting.data_folder, "The folder of real frames; where it is missing, generated ones serve")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.footer("Exit codes: 0 measured, whether the aims hold or not; 1 failed; 2 wrong usage.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!std::filesystem::exists(setting.kithd))
    Die(setting.kithd + " is not there: build kithd, or name one by --kithd");
  CleanUpOnSignals();
  return Run(setting, {rows.begin(), rows.end()}, json);
}

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) { return kith::bench::Main(argc, argv); }
