// kith generations NAME, kith rollback NAME
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/experiment_report.h"
#include "client/cli/named_command.h"

namespace kith::cli {
namespace {

Json GenerationJson(const Generation& generation) {
  return {{"generation", generation.number},
          {"current", generation.current},
          {"rows", generation.rows},
          {"dimension", generation.dimension},
          {"metric", MetricName(generation.recipe.metric)},
          {"recipe", generation.recipe.name},
          {"factory", generation.factory},
          {"nlist", generation.nlist},
          {"nprobe", generation.nprobe},
          {"recall_at_8", generation.recall_at_8},
          {"disk_bytes", generation.disk_bytes},
          {"created", TimeJson(generation.created)},
          {"updated", TimeJson(generation.updated)},
          {"message", generation.message.empty() ? Json(nullptr) : Json(generation.message)}};
}

// A table, the current one marked; behind a generation that cannot be read, why.
std::string GenerationsText(const std::vector<Generation>& generations) {
  std::string text =
      "  generation               frames     on disk  created               updated               index\n";
  for (const Generation& generation : generations) {
    const std::string shape = absl::StrCat(generation.rows, " x ", generation.dimension);
    absl::StrAppendFormat(&text, "%c %10d %20s %11s  %s  %s  %s\n", generation.current ? '*' : ' ', generation.number,
                          shape, MebibytesText(generation.disk_bytes), TimeText(generation.created),
                          TimeText(generation.updated), IndexText(generation));
    if (!generation.message.empty()) {
      absl::StrAppendFormat(&text, "%14scannot be read: %s\n", "", generation.message);
    }
  }
  return text;
}

int RunGenerations(const std::string& name, Context& context) {
  const auto generations = Client(context.MakeClientOptions()).Generations(name, context.MakeCallOptions());
  if (!generations.ok()) return Fail(context, generations.status());
  Json list = Json::array();
  for (const Generation& generation : *generations) list.push_back(GenerationJson(generation));
  PrintReport(context.out, context.json, {{"generations", std::move(list)}}, GenerationsText(*generations));
  return kDone;
}

int RunRollback(const std::string& name, std::optional<int64_t> to, Context& context) {
  const auto voice = Client(context.MakeClientOptions()).Rollback(name, to, context.MakeCallOptions());
  if (!voice.ok()) return Fail(context, voice.status());
  PrintReport(context.out, context.json, ExperimentJson(*voice),
              absl::StrFormat("rolled back %s: generation %d is the current one now, %d frames of %d dimensions\n"
                              "index: %s\n",
                              name, voice->generation, voice->rows, voice->dimension, IndexText(*voice)));
  return kDone;
}

}  // namespace

void AddGenerationsCommand(CLI::App& app, Context& context) {
  AddNamed(app, context, "generations", "List the generations of a voice that are kept; * is the one that is served",
           RunGenerations);
}

void AddRollbackCommand(CLI::App& app, Context& context) {
  auto to = std::make_shared<std::optional<int64_t>>();
  AddNamed(app, context, "rollback",
           "Serve an earlier generation of a voice again, as it last was, with what was added to it",
           [to](const std::string& name, Context& of) { return RunRollback(name, *to, of); })
      ->add_option("--to", *to, "The generation (kith generations lists them); unset: the one that was served before")
      ->type_name("GENERATION");
}

}  // namespace kith::cli
