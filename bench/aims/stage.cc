#include "bench/aims/stage.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

#include "client/cli/feature_files.h"
#include "client/cli/speech_like.h"

namespace kith::bench {
namespace {

constexpr int64_t kQueryRows = int64_t{64} * kBlock;

constexpr int64_t kShortRows = 7253;

std::string TemporaryFile() {
  return (std::filesystem::temp_directory_path() / ("kith-bench-" + std::to_string(getpid()) + ".index")).string();
}

std::string GeneratedName(int64_t rows, uint64_t seed) {
  return "generated-" + std::to_string(rows) + "-" + std::to_string(seed);
}

class FileSink final : public ExportSink {
 public:
  explicit FileSink(const std::string& path) : file_(path, std::ios::binary) {}
  absl::Status Begin(const ExportInfo&) override { return absl::OkStatus(); }
  absl::Status Write(absl::Span<const char> bytes) override {
    return file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()
               ? absl::OkStatus()
               : absl::DataLossError("the index cannot be written to the temporary folder");
  }

 private:
  std::ofstream file_;
};

}  // namespace

Voice GeneratedVoice(int64_t rows, uint64_t seed) {
  cli::SpeechLike speech(kDimension, seed);
  Voice voice;
  voice.name = GeneratedName(rows, seed);
  voice.frames = {kDimension, speech.Next(rows)};
  voice.queries = {kDimension, speech.Next(kQueryRows)};
  return voice;
}

Server& Stage::server() {
  // What --quick measures has no training beside it: there is no reason for them to give way.
  if (server_ == nullptr) {
    server_ = std::make_unique<Server>(setting.kithd, setting.quick ? "training:\n  nice: 0\n" : "");
  }
  return *server_;
}

Client& Stage::client() {
  if (client_ == nullptr) client_ = std::make_unique<Client>(ClientOptions{server().address()});
  return *client_;
}

const Voice& Stage::Generated(int64_t rows, const std::string& recipe) {
  const auto found = voices_.find(GeneratedName(rows, 1) + "-" + recipe);
  if (found != voices_.end()) return found->second;
  if (recipe == "rvc") return Train(GeneratedVoice(rows), recipe);
  Voice voice = Generated(rows);
  voice.name = GeneratedName(rows, 1);
  return Train(std::move(voice), recipe);
}

const Voice& Stage::WithoutKMeans(int64_t rows) {
  Voice voice = GeneratedVoice(rows);
  const auto found = voices_.find(voice.name + "-imported");
  if (found != voices_.end()) return found->second;
  voice.name += "-imported";
  const std::string path = TemporaryFile();
  WriteRvcIndexWithoutKMeans(voice.frames, path);
  auto imported = client().ImportFile(voice.name, path);
  std::filesystem::remove(path);
  if (!imported.ok()) Die(std::string(imported.status().message()));
  voice.trained = *std::move(imported);
  return Keep(std::move(voice));
}

bool Stage::has_real_frames() const { return std::filesystem::exists(setting.data_folder + "/voice-a/3_feature768"); }

const Voice& Stage::Short(const std::string& recipe) {
  const std::string name = has_real_frames() ? "voice-a" : "generated-short";
  const auto found = voices_.find(name + "-" + recipe);
  if (found != voices_.end()) return found->second;
  if (!has_real_frames()) {
    Voice voice = GeneratedVoice(kShortRows);
    voice.name = name;
    return Train(std::move(voice), recipe);
  }
  Voice voice{name, Loaded("/voice-a/3_feature768"), {kDimension, {}}, {}};
  for (const char* speaker : {"/queries/speaker-b_299x768.npy", "/queries/speaker-c_169x768.npy"}) {
    const Frames queries = Loaded(speaker);
    voice.queries.values.insert(voice.queries.values.end(), queries.values.begin(), queries.values.end());
  }
  return Train(std::move(voice), recipe);
}

Frames Stage::Loaded(const std::string& file) const {
  auto frames = cli::LoadFrames(setting.data_folder + file);
  if (!frames.ok()) Die(std::string(frames.status().message()));
  return *std::move(frames);
}

const Voice& Stage::Train(Voice voice, const std::string& recipe) {
  voice.name += "-" + recipe;
  TrainOptions train;
  train.recipe = Recipe{};
  train.recipe->name = recipe;
  voice.trained = TrainVoice(client(), voice.name, voice.frames, train);
  return Keep(std::move(voice));
}

const Voice& Stage::Keep(Voice voice) {
  std::printf("%s: %s over %lld x %d, nprobe %d\n", voice.name.c_str(), voice.trained.factory.c_str(),
              static_cast<long long>(voice.frames.rows()), kDimension, voice.trained.nprobe);
  std::fflush(stdout);
  const std::string name = voice.name;
  return voices_.emplace(name, std::move(voice)).first->second;
}

std::unique_ptr<Baseline> Stage::Local(const Voice& voice) {
  const std::string path = TemporaryFile();
  FileSink sink(path);
  const auto exported = client().Export(voice.name, sink);
  if (!exported.ok()) Die(std::string(exported.status().message()));
  auto local = std::make_unique<Baseline>(path, voice.frames, voice.trained.nprobe);
  std::filesystem::remove(path);
  return local;
}

}  // namespace kith::bench
