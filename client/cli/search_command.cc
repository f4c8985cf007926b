// kith search NAME FILE.npy
#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/feature_files.h"
#include "client/cli/progress.h"
#include "client/cli/search_options.h"
#include "client/cli/stopwatch.h"
#include "common/npy/npy.h"

namespace kith::cli {
namespace {

constexpr int64_t kShownRows = 10;

struct SearchArguments {
  std::string name;
  std::string file;
  SearchParams params;
  std::string ids_file;
  std::string distances_file;

  bool to_files() const { return !ids_file.empty() || !distances_file.empty(); }
};

absl::StatusOr<SearchResult> Search(const SearchArguments& arguments, FramesView frames, Context& context) {
  Progress progress(context.err, context.err_is_terminal, "searching");
  CallOptions call = context.MakeCallOptions();
  call.on_rows = [&](int64_t rows) { progress.Update("searching", rows, frames.rows()); };
  return Client(context.MakeClientOptions()).Search(arguments.name, frames, arguments.params, call);
}

absl::Status WriteFiles(const SearchArguments& arguments, const SearchResult& found, int64_t rows) {
  if (!arguments.ids_file.empty()) {
    absl::Status written = npy::WriteMatrix(arguments.ids_file, absl::MakeConstSpan(found.ids), rows, found.k);
    if (!written.ok()) return written;
  }
  if (arguments.distances_file.empty()) return absl::OkStatus();
  return npy::WriteMatrix(arguments.distances_file, absl::MakeConstSpan(found.distances), rows, found.k);
}

// [[...], [...]]: a list of k for each row.
template <typename Value>
Json RowsJson(const std::vector<Value>& values, int k) {
  Json rows = Json::array();
  for (auto row = values.begin(); row != values.end(); row += k) rows.push_back(std::vector<Value>(row, row + k));
  return rows;
}

Json ReportJson(const SearchArguments& arguments, const SearchResult& found, int64_t rows, double seconds) {
  Json report = {{"rows", rows}, {"k", found.k}, {"seconds", seconds}};
  if (!arguments.to_files()) {
    report["ids"] = RowsJson(found.ids, found.k);
    report["distances"] = RowsJson(found.distances, found.k);
  }
  return report;
}

std::string ReportText(const SearchArguments& arguments, const SearchResult& found, int64_t rows, double seconds) {
  std::string text;
  const int64_t shown = arguments.to_files() ? 0 : std::min(rows, kShownRows);
  for (int64_t row = 0; row < shown; ++row) {
    absl::StrAppend(&text, "frame ", row, ":");
    for (int64_t i = row * found.k; i < (row + 1) * found.k; ++i) {
      absl::StrAppendFormat(&text, "  %d (%.4g)", found.ids[i], found.distances[i]);
    }
    absl::StrAppend(&text, "\n");
  }
  if (shown > 0 && shown < rows) {
    absl::StrAppend(&text, "... and ", rows - shown, " more: --json prints all, --ids and --distances write files\n");
  }
  absl::StrAppendFormat(&text, "searched %d frames for %d neighbours each in %.3f s\n", rows, found.k, seconds);
  return text;
}

int RunSearch(const SearchArguments& arguments, Context& context) {
  const auto frames = LoadFrames(arguments.file, context);
  if (!frames.ok()) return Fail(context, frames.status());
  const Stopwatch watch;
  const auto found = Search(arguments, *frames, context);
  if (!found.ok()) return Fail(context, found.status());
  const double seconds = watch.Seconds();
  if (absl::Status written = WriteFiles(arguments, *found, frames->rows()); !written.ok()) {
    return Fail(context, written);
  }
  PrintReport(context.out, context.json, ReportJson(arguments, *found, frames->rows(), seconds),
              ReportText(arguments, *found, frames->rows(), seconds));
  return kDone;
}

}  // namespace

void AddSearchCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<SearchArguments>();
  CLI::App* command = app.add_subcommand("search", "Find the stored frames nearest to each frame of a file");
  command->add_option("NAME", arguments->name, "The experiment")->required();
  command->add_option("FILE", arguments->file, "The frames: a .npy file, or a folder of them")->required();
  AddSearchOptions(*command, arguments->params);
  command->add_option("--ids", arguments->ids_file, "Write the ids there, int64 [rows, k]")->type_name("OUT.npy");
  command->add_option("--distances", arguments->distances_file, "Write the distances there, float32 [rows, k]")
      ->type_name("OUT.npy");
  command->callback([arguments, &context] { context.exit_code = RunSearch(*arguments, context); });
}

}  // namespace kith::cli
