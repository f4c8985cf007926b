// kith add NAME PATH...
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/feature_files.h"
#include "client/cli/progress.h"

namespace kith::cli {
namespace {

struct AddArguments {
  std::string name;
  std::vector<std::string> paths;
};

absl::StatusOr<AddResult> Add(const AddArguments& arguments, Context& context) {
  auto files = ListFeatureFiles(arguments.paths);
  if (!files.ok()) return files.status();
  FeatureFiles source(*std::move(files), &context.cancellation);
  Progress progress(context.err, context.err_is_terminal, "connecting");
  CallOptions call = context.MakeCallOptions();
  call.on_rows = [&progress](int64_t rows) { progress.Update("frames sent", rows, 0); };
  return Client(context.MakeClientOptions()).Add(arguments.name, source, /*request_id=*/{}, call);
}

int RunAdd(const AddArguments& arguments, Context& context) {
  const auto added = Add(arguments, context);
  if (!added.ok()) return Fail(context, added.status());
  const Json report = {{"first_id", added->first_id},
                       {"rows", added->rows},
                       {"total_rows", added->total_rows},
                       {"generation", added->generation}};
  PrintReport(context.out, context.json, report,
              absl::StrCat("added ", added->rows, " frames to ", arguments.name, " from id ", added->first_id,
                           " on; it holds ", added->total_rows, " now\n"));
  return kDone;
}

}  // namespace

void AddAddCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<AddArguments>();
  CLI::App* command = app.add_subcommand("add", "Add frames to a trained voice: all of them or none");
  command->add_option("NAME", arguments->name, "The experiment")->required();
  command->add_option("PATH", arguments->paths, "Folders of .npy files, or .npy files")->required();
  command->callback([arguments, &context] { context.exit_code = RunAdd(*arguments, context); });
}

}  // namespace kith::cli
