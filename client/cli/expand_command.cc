// kith expand NAME FILE.npy -o OUT.npy
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/expand_options.h"
#include "client/cli/feature_files.h"
#include "client/cli/output_file.h"
#include "client/cli/progress.h"
#include "client/cli/stopwatch.h"

namespace kith::cli {
namespace {

struct ExpandArguments {
  std::string name;
  std::string file;
  std::string out_file;
  ExpandParams params;
};

absl::StatusOr<ExpandResult> Expand(const ExpandArguments& arguments, FramesView frames, Context& context) {
  Progress progress(context.err, context.err_is_terminal, "blending");
  CallOptions call = context.MakeCallOptions();
  call.on_rows = [&](int64_t rows) { progress.Update("blending", rows, frames.rows()); };
  return Client(context.MakeClientOptions()).Expand(arguments.name, frames, arguments.params, call);
}

int RunExpand(const ExpandArguments& arguments, Context& context) {
  OutputFile out(arguments.out_file);
  if (absl::Status opened = out.Open(); !opened.ok()) return Fail(context, opened);
  const auto frames = LoadFrames(arguments.file, context);
  if (!frames.ok()) return Fail(context, frames.status());
  const Stopwatch watch;
  const auto result = Expand(arguments, *frames, context);
  if (!result.ok()) return Fail(context, result.status());
  const double seconds = watch.Seconds();
  const Frames& blended = result->frames;
  if (absl::Status written = SaveFrames(blended, out); !written.ok()) return Fail(context, written);

  const Json report = {{"rows", blended.rows()}, {"passthrough_rows", result->passthrough_rows}, {"seconds", seconds}};
  std::string text =
      absl::StrFormat("blended %d frames in %.3f s into %s\n", blended.rows(), seconds, arguments.out_file);
  if (result->passthrough_rows > 0) {
    absl::StrAppend(&text, result->passthrough_rows, " of them found no neighbour and are unchanged\n");
  }
  PrintReport(context.out, context.json, report, text);
  return kDone;
}

}  // namespace

void AddExpandCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<ExpandArguments>();
  CLI::App* command = app.add_subcommand("expand", "Blend each frame of a file with its nearest stored frames");
  command->add_option("NAME", arguments->name, "The experiment")->required();
  command->add_option("FILE", arguments->file, "The frames: a .npy file, or a folder of them")->required();
  command->add_option("-o,--output", arguments->out_file, "Where the blended frames go, float32 [rows, dimension]")
      ->required()
      ->type_name("OUT.npy");
  AddExpandOptions(*command, arguments->params);
  command->callback([arguments, &context] {
    CheckExpandOptions(arguments->params);
    context.exit_code = RunExpand(*arguments, context);
  });
}

}  // namespace kith::cli
