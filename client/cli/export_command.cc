// kith export NAME OUT, kith frames NAME -o OUT.npy
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/output_file.h"
#include "client/cli/progress.h"
#include "client/cli/stopwatch.h"
#include "common/npy/npy.h"

namespace kith::cli {
namespace {

struct ExportArguments {
  std::string name;
  std::string out_file;
  int64_t first = 0;
  int64_t count = 0;
};

// Writes what comes and shows how far it is.
template <typename Sink>
class Writer : public Sink {
 public:
  Writer(const std::string& path, Progress& progress) : file_(path), progress_(progress) {}
  absl::Status Commit() { return file_.Commit(); }

 protected:
  absl::Status BeginWith(absl::Span<const char> head, int64_t total) {
    total_ = total;
    return file_.Write(head);
  }
  absl::Status Put(const char* label, absl::Span<const char> bytes, int64_t amount) {
    done_ += amount;
    progress_.Update(label, done_, total_);
    return file_.Write(bytes);
  }

 private:
  OutputFile file_;
  Progress& progress_;
  int64_t done_ = 0;
  int64_t total_ = 0;
};

class IndexWriter final : public Writer<ExportSink> {
 public:
  using Writer::Writer;
  absl::Status Begin(const ExportInfo& info) override { return BeginWith({}, info.bytes); }
  absl::Status Write(absl::Span<const char> bytes) override {
    return Put("exporting", bytes, static_cast<int64_t>(bytes.size()));
  }
};

class NpyWriter final : public Writer<FramesSink> {
 public:
  using Writer::Writer;
  absl::Status Begin(const FramesInfo& info) override {
    return BeginWith(npy::Header(npy::Type::kFloat32, info.rows, info.dimension), info.rows);
  }
  absl::Status Write(FramesView rows) override {
    const absl::Span<const char> bytes(reinterpret_cast<const char*>(rows.values.data()),
                                       rows.values.size() * sizeof(float));
    return Put("frames", bytes, rows.rows());
  }
};

// download(client, writer) -> absl::StatusOr<Info>; the file is there only if it succeeds.
template <typename Info, typename FileWriter, typename Download>
absl::StatusOr<Info> Save(const std::string& path, Context& context, Download download) {
  Progress progress(context.err, context.err_is_terminal, "connecting");
  FileWriter writer(path, progress);
  Client client(context.MakeClientOptions());
  absl::StatusOr<Info> info = download(client, writer);
  if (!info.ok()) return info;
  if (absl::Status committed = writer.Commit(); !committed.ok()) return committed;
  return info;
}

int RunExport(const ExportArguments& arguments, Context& context) {
  const Stopwatch watch;
  const auto info =
      Save<ExportInfo, IndexWriter>(arguments.out_file, context, [&](Client& client, IndexWriter& writer) {
        return client.Export(arguments.name, writer, context.MakeCallOptions());
      });
  if (!info.ok()) return Fail(context, info.status());
  const Json report = {{"experiment", arguments.name}, {"bytes", info->bytes},        {"generation", info->generation},
                       {"file", arguments.out_file},   {"rvc_name", info->file_name}, {"seconds", watch.Seconds()}};
  PrintReport(context.out, context.json, report,
              absl::StrFormat("exported %s to %s: %d bytes, generation %d; RVC would call it %s\n", arguments.name,
                              arguments.out_file, info->bytes, info->generation, info->file_name));
  return kDone;
}

int RunFrames(const ExportArguments& arguments, Context& context) {
  const auto info = Save<FramesInfo, NpyWriter>(arguments.out_file, context, [&](Client& client, NpyWriter& writer) {
    return client.GetFrames(arguments.name, writer, arguments.first, arguments.count, context.MakeCallOptions());
  });
  if (!info.ok()) return Fail(context, info.status());
  const Json report = {{"rows", info->rows},
                       {"dimension", info->dimension},
                       {"generation", info->generation},
                       {"file", arguments.out_file}};
  PrintReport(
      context.out, context.json, report,
      absl::StrCat("wrote ", info->rows, " frames of ", info->dimension, " dimensions to ", arguments.out_file, "\n"));
  return kDone;
}

}  // namespace

void AddExportCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command = app.add_subcommand("export", "Write a voice's index as a file that RVC and Python's faiss read");
  command->add_option("NAME", arguments->name, "The experiment")->required();
  command->add_option("OUT", arguments->out_file, "The file to write; one that is there is replaced")->required();
  command->callback([arguments, &context] { context.exit_code = RunExport(*arguments, context); });
}

void AddFramesCommand(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command = app.add_subcommand("frames", "Write a voice's stored frames, what RVC calls total_fea.npy");
  command->add_option("NAME", arguments->name, "The experiment")->required();
  command->add_option("-o,--output", arguments->out_file, "The .npy file to write; one that is there is replaced")
      ->required()
      ->type_name("OUT.npy");
  command->add_option("--first", arguments->first, "The first id")->capture_default_str();
  command->add_option("--count", arguments->count, "How many frames; 0: all from the first on")->capture_default_str();
  command->callback([arguments, &context] { context.exit_code = RunFrames(*arguments, context); });
}

}  // namespace kith::cli
