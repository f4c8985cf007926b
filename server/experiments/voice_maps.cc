#include "server/experiments/voice_maps.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/base/clock.h"
#include "server/base/guard.h"
#include "server/experiments/traffic.h"

namespace kith::experiments {
namespace {

constexpr int64_t kSample = 6000;    // frames of a map
constexpr int64_t kRowsAtOnce = 64;  // are copied at a time, so that additions and searches go in between
constexpr size_t kMaps = 64;
constexpr size_t kWatched = 8;
constexpr std::chrono::seconds kPatience(5);  // how long after it was asked for last a voice is watched
constexpr int kLowestPriority = 19;

// Evenly from all of it. A voice that has grown by more is mapped anew.
constexpr double kGrowth = 1.25;

bool IsCurrent(const VoiceMap& map, const std::shared_ptr<const Generation>& generation) {
  return map.of.lock() == generation &&
         static_cast<double>(generation->index->rows()) <= kGrowth * static_cast<double>(map.rows);
}

retrieval::Frames SampleOf(const retrieval::Index& index) {
  const int64_t rows = index.rows();
  const int64_t count = std::min(rows, kSample);
  retrieval::Frames sample{index.dimension(), {}};
  sample.values.reserve(static_cast<size_t>(count) * index.dimension());
  for (int64_t first = 0; first < count; first += kRowsAtOnce) {
    std::vector<int64_t> ids;
    for (int64_t i = first; i < std::min(count, first + kRowsAtOnce); ++i) ids.push_back(i * rows / count);
    const retrieval::Frames part = index.CopyRows(ids);
    sample.values.insert(sample.values.end(), part.values.begin(), part.values.end());
  }
  return sample;
}

std::shared_ptr<VoiceMap> MapOf(const std::shared_ptr<const Generation>& generation) {
  const int64_t rows = generation->index->rows();
  const retrieval::Frames sample = SampleOf(*generation->index);
  auto map = std::make_shared<VoiceMap>(sample.view());
  map->of = generation;
  map->generation = generation->number;
  map->rows = rows;
  map->points.resize(static_cast<size_t>(2 * sample.rows()));
  map->plane.Apply(sample.view(), map->points.data());
  return map;
}

}  // namespace

VoiceMaps::VoiceMaps(const Registry* registry)
    : registry_(registry),
      thread_(1, [] { setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLowestPriority); }) {}

absl::StatusOr<std::shared_ptr<const VoiceMap>> VoiceMaps::Find(const std::string& name) {
  const auto voice = registry_->Describe(name);  // not FindResident, which would count as a use of the voice
  if (!voice.ok()) return voice.status();
  if (voice->generation == nullptr) return nullptr;
  const std::lock_guard<std::mutex> lock(mutex_);
  Known* const known = Touch(name);
  if (known->map != nullptr && IsCurrent(*known->map, voice->generation)) return known->map;
  if (!std::exchange(known->making, true)) {
    thread_.Run([this, name, generation = std::weak_ptr<const Generation>(voice->generation)] {
      Make(name, generation.lock());
    });
  }
  return nullptr;
}

VoiceMaps::~VoiceMaps() {
  const std::lock_guard<std::mutex> lock(mutex_);
  known_.clear();  // what waits is not made
}

VoiceMaps::Place VoiceMaps::PlaceOf(const std::string& name) {
  return std::find_if(known_.begin(), known_.end(), [&](const Known& known) { return known.name == name; });
}

VoiceMaps::Known* VoiceMaps::Touch(const std::string& name) {
  const Place found = PlaceOf(name);
  if (found != known_.end()) {
    known_.splice(known_.begin(), known_, found);
  } else {
    known_.push_front({name, nullptr, false});
    if (known_.size() > kMaps) known_.pop_back();
  }
  return &known_.front();
}

void VoiceMaps::Make(const std::string& name, const std::shared_ptr<const Generation>& generation) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (PlaceOf(name) == known_.end()) return;  // pushed out by others meanwhile
  }
  std::shared_ptr<VoiceMap> map;
  const absl::Status status = Guarded([&] {
    if (generation != nullptr) map = MapOf(generation);
    return absl::OkStatus();
  });
  const std::lock_guard<std::mutex> lock(mutex_);
  const Place found = PlaceOf(name);
  if (found == known_.end()) return;
  found->making = false;
  if (!status.ok() || map == nullptr) return;
  map->number = ++made_;
  found->map = std::move(map);
}

absl::StatusOr<std::vector<VoiceMaps::LiveBlock>> VoiceMaps::Live(const std::string& name, int64_t after) {
  const auto map = Find(name);
  if (!map.ok()) return map.status();
  std::vector<LiveBlock> live;
  const std::shared_ptr<Traffic> traffic = registry_->TrafficOf(name);
  if (*map == nullptr || traffic == nullptr) return live;
  const TimePoint now = Clock::now();
  StartWatching(traffic);
  for (const LiveFrames::Block& block : traffic->live.Watch(after, now + kPatience)) {
    if (block.frames.dimension != (*map)->plane.dimension()) continue;  // of an earlier generation
    LiveBlock points{block.number, SecondsSince(block.time), {}};
    points.points.resize(static_cast<size_t>(2 * block.frames.rows()));
    (*map)->plane.Apply(block.frames.view(), points.points.data());
    live.push_back(std::move(points));
  }
  return live;
}

void VoiceMaps::StartWatching(const std::shared_ptr<Traffic>& traffic) {
  const std::lock_guard<std::mutex> lock(mutex_);
  watched_.remove(traffic);
  watched_.push_front(traffic);
  for (const auto& watched : watched_) watched->live.EndIfOver(Clock::now());
  if (watched_.size() <= kWatched) return;
  watched_.back()->live.EndIfOver(TimePoint::max());
  watched_.pop_back();
}

}  // namespace kith::experiments
