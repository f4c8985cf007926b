// kith generate OUT_DIR
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/progress.h"
#include "client/cli/speech_like.h"
#include "common/npy/npy.h"

namespace kith::cli {
namespace {

namespace fs = std::filesystem;

// RVC cuts recordings into slices of 3.7 s and names a file RECORDING_SLICE.npy.
constexpr int64_t kSliceRows = 185;
constexpr int64_t kSlicesPerRecording = 8;

struct GenerateArguments {
  std::string folder;
  int64_t rows = 30000;
  int dimension = 768;
  uint64_t seed = 1234;
};

absl::Status MakeEmptyFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(folder, ": cannot be made"));
  const bool empty = fs::is_empty(folder, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(folder, ": cannot be listed"));
  if (!empty) return absl::AlreadyExistsError(absl::StrCat(folder, ": not empty; name a new folder"));
  return absl::OkStatus();
}

absl::StatusOr<int64_t> WriteSlices(const GenerateArguments& arguments, Context& context) {
  if (absl::Status made = MakeEmptyFolder(arguments.folder); !made.ok()) return made;
  Progress progress(context.err, context.err_is_terminal, "generating");
  SpeechLike voice(arguments.dimension, arguments.seed);
  int64_t files = 0;
  for (int64_t row = 0; row < arguments.rows; row += kSliceRows, ++files) {
    if (context.interrupted()) return absl::CancelledError("interrupted");
    const int64_t rows = std::min(kSliceRows, arguments.rows - row);
    const std::string name = absl::StrCat(files / kSlicesPerRecording, "_", files % kSlicesPerRecording, ".npy");
    const std::vector<float> values = voice.Next(rows);
    const absl::Status written =
        npy::WriteMatrix(fs::path(arguments.folder) / name, absl::MakeConstSpan(values), rows, arguments.dimension);
    if (!written.ok()) return written;
    progress.Update("generating", row + rows, arguments.rows);
  }
  return files;
}

int RunGenerate(const GenerateArguments& arguments, Context& context) {
  const auto files = WriteSlices(arguments, context);
  if (!files.ok()) return Fail(context, files.status());
  const Json report = {
      {"folder", arguments.folder}, {"files", *files}, {"rows", arguments.rows}, {"dimension", arguments.dimension}};
  PrintReport(context.out, context.json, report,
              absl::StrCat("wrote ", arguments.rows, " frames of ", arguments.dimension, " dimensions in ", *files,
                           " files to ", arguments.folder, "\n"));
  return kDone;
}

}  // namespace

void AddGenerateCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<GenerateArguments>();
  CLI::App* command = app.add_subcommand("generate", "Write a folder of made-up frames that look like speech");
  command->add_option("OUT_DIR", arguments->folder, "A new or empty folder")->required();
  command->add_option("--rows", arguments->rows, "Frames in all, 50 a second of speech")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}))
      ->capture_default_str();
  command->add_option("--dimension", arguments->dimension, "Columns of a frame: 256 for RVC v1, 768 for v2")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "The same seed gives the same frames")->capture_default_str();
  command->callback([arguments, &context] { context.exit_code = RunGenerate(*arguments, context); });
}

}  // namespace kith::cli
