// kith link NAME FILE: a pointer file, which the Python package (kith.faiss) follows. RVC's pipelines ask first whether
// the path of an index exists, so that a URL alone would switch retrieval off.
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/output_file.h"
#include "client/cpp/percent_encode.h"

namespace kith::cli {
namespace {

constexpr char kHeader[] = "kith link 1";  // the first line; the second one is the URL

struct LinkArguments {
  std::string name;
  std::string file;
};

bool IsLink(const std::string& path) {
  std::string line;
  return std::getline(std::ifstream(path), line) && line == kHeader;
}

// Anything but a pointer file that is there, such as somebody's index, is left alone.
absl::Status WriteLink(const std::string& url, const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored) && !IsLink(path)) {
    return absl::AlreadyExistsError(absl::StrCat(path, " is there and is no link; move it away, or give another name"));
  }
  OutputFile file(path);
  if (absl::Status status = file.Write(absl::StrCat(kHeader, "\n", url, "\n")); !status.ok()) return status;
  return file.Commit();
}

int RunLink(const LinkArguments& arguments, Context& context) {
  Client client(context.MakeClientOptions());
  const auto experiment = client.Get(arguments.name, context.MakeCallOptions());
  if (!experiment.ok()) return Fail(context, experiment.status());
  const std::string url = absl::StrCat("kith://", client.target(), "/", client::PercentEncode(arguments.name));
  if (absl::Status status = WriteLink(url, arguments.file); !status.ok()) return Fail(context, status);
  PrintReport(context.out, context.json, {{"url", url}, {"file", arguments.file}},
              absl::StrCat(arguments.file, " stands for ", url, "\n"));
  return kDone;
}

}  // namespace

void AddLinkCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<LinkArguments>();
  CLI::App* command =
      app.add_subcommand("link", "Write a small file that stands for a voice where kith.faiss reads an index");
  command->add_option("NAME", arguments->name, "The experiment")->required();
  command->add_option("FILE", arguments->file, "The file to write, as logs/NAME/voice.index")->required();
  command->callback([arguments, &context] { context.exit_code = RunLink(*arguments, context); });
}

}  // namespace kith::cli
