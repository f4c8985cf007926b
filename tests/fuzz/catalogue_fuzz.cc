// A data folder whose catalogue, or its write-ahead log, is damaged: it opens or says why not, and what it serves is
// what was stored.
#include <map>
#include <string>
#include <vector>

#include "server/storage/data_folder.h"
#include "server/storage/log_repair.h"
#include "server/storage/store.h"
#include "tests/fuzz/folder.h"

namespace kith::storage {
namespace {

using fuzz::Require;

constexpr int kDimension = 2;

retrieval::Frames FramesOf(float first, int64_t rows) {
  retrieval::Frames frames{kDimension, {}};
  for (int64_t i = 0; i < rows * kDimension; ++i) frames.values.push_back(first + static_cast<float>(i));
  return frames;
}

struct Sound {
  std::string catalogue;
  std::string log;
  std::vector<float> anna;  // all that was stored of it
  std::vector<float> bob;
};

void Train(Store& store, const std::string& name, const retrieval::Frames& frames) {
  retrieval::Recipe recipe;
  recipe.factory = "Flat";
  retrieval::BuildReport report;
  report.factory = "Flat";
  const auto trained = store.CommitGeneration(name, recipe, report, frames.view(),
                                              [](ByteSink sink) { return sink(absl::MakeConstSpan("index", 5)); });
  Require(trained.ok(), "training");
}

// Makes the folder, and gives what is in it while it is open: then there is a log.
Sound MakeSound(const fuzz::Folder& folder) {
  auto store = Store::Open(folder.Path("data"));
  Require(store.ok(), "opening");
  Train(**store, "anna", FramesOf(1, 3));
  Train(**store, "bob", FramesOf(100, 4));
  const retrieval::Frames added = FramesOf(50, 2);
  Require((*store)->Append({Addition{"anna", 1, added.view(), Request{"id", "digest"}}}).front().ok(), "adding");
  Require((*store)->SetPinned("bob", true).ok(), "pinning");
  Sound sound;
  sound.catalogue = fuzz::ReadFile(folder.Path(std::string("data/") + kCatalogueFile));
  sound.log = fuzz::ReadFile(folder.Path(std::string("data/") + kLogFile));
  sound.anna = FramesOf(1, 3).values;
  sound.anna.insert(sound.anna.end(), added.values.begin(), added.values.end());
  sound.bob = FramesOf(100, 4).values;
  return sound;
}

absl::Status ReadIndex(const GenerationInfo&, retrieval::FrameView, ByteSource source) {
  char piece[64];
  for (;;) {
    const auto count = source(absl::MakeSpan(piece));
    if (!count.ok()) return count.status();
    if (*count == 0) return absl::OkStatus();
  }
}

// The rows that it loads are the first of those that were stored.
void Load(Store& store, const std::string& name, const std::vector<float>& stored) {
  (void)store.Generations(name);
  (void)store.FindRequest(name, "id");
  (void)store.Verify(name);
  const auto loaded = store.Load(name, std::nullopt, ReadIndex);
  if (!loaded.ok()) return;
  const std::vector<float>& values = loaded->frames.values;
  Require(values.size() <= stored.size() && std::equal(values.begin(), values.end(), stored.begin()),
          "other rows than were stored in " + name);
}

void Use(const std::string& data, const Sound& sound) {
  const auto repairs = CountLogRepairs(data + "/" + kLogFile);
  const auto repaired = RepairLog(data + "/" + kLogFile);
  Require(repairs.ok() == repaired.ok(), "a repair that was told otherwise");
  const auto store = Store::Open(data);
  if (!store.ok()) return;
  if (const auto all = (*store)->List(); all.ok()) {
    for (const ExperimentRecord& record : *all) (void)(*store)->Get(record.name);
  }
  Load(**store, "anna", sound.anna);
  Load(**store, "bob", sound.bob);
  const retrieval::Frames more = FramesOf(7, 1);
  (void)(*store)->Append({Addition{"bob", 1, more.view(), {}}});
  (void)(*store)->Rollback("anna", std::nullopt);
  (void)(*store)->Delete("anna");
}

}  // namespace
}  // namespace kith::storage

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kith::storage;  // NOLINT(google-build-using-namespace): the function has to be outside of it
  static const kith::fuzz::Folder folder;
  static const Sound sound = MakeSound(folder);
  static const std::string data_dir = folder.Path("tried");
  kith::fuzz::CopyFolder(folder.Path("data"), data_dir);
  kith::fuzz::Input input(data, size);
  std::string catalogue = sound.catalogue;
  std::string log = sound.log;
  const uint8_t kind = input.Byte();
  while (!input.empty()) {
    kith::fuzz::Change(&input, (kind & 1) != 0 && (kind & 2) == 0 ? &catalogue : &log);
  }
  if ((kind & 2) != 0) log.clear();
  kith::fuzz::WriteFile(data_dir + "/" + kCatalogueFile, catalogue);
  kith::fuzz::WriteFile(data_dir + "/" + kLogFile, log);
  std::filesystem::remove(data_dir + "/catalogue.sqlite-shm");
  Use(data_dir, sound);
  return 0;
}
