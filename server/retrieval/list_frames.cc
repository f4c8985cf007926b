#include "server/retrieval/list_frames.h"

#include <cstring>

namespace kith::retrieval {

std::unique_ptr<FrameStore> ListFrames::Of(const faiss::Index& index, FrameView frames) {
  const auto lists = FlatLists::Of(index);
  if (!lists || lists->dimension() != frames.dimension) return nullptr;
  std::unique_ptr<ListFrames> store(new ListFrames(*lists));
  if (!store->FindPlaces(frames.rows)) return nullptr;
  for (int64_t id = 0; id < frames.rows; ++id) {
    if (std::memcmp(store->Row(id), frames.row(id), sizeof(float) * frames.dimension) != 0) return nullptr;
  }
  return store;
}

bool ListFrames::FindPlaces(int64_t rows) {
  constexpr Place kNowhere{-1, -1};
  places_.assign(rows, kNowhere);
  int64_t found = 0;
  for (int64_t list = 0; list < lists_.size(); ++list) {
    const int64_t* ids = lists_.ids(list);
    next_.push_back(static_cast<int32_t>(lists_.rows(list)));
    for (int32_t row = 0; row < next_.back(); ++row) {
      if (ids[row] < 0 || ids[row] >= rows || places_[ids[row]].list >= 0) return false;
      places_[ids[row]] = {static_cast<int32_t>(list), row};
      ++found;
    }
  }
  return found == rows;
}

void ListFrames::Append(FrameView /*frames*/, absl::Span<const int64_t> lists) {
  for (const int64_t list : lists) places_.push_back({static_cast<int32_t>(list), next_[list]++});
}

int64_t ListFrames::bytes() const {
  return static_cast<int64_t>(places_.size() * sizeof(Place) + next_.size() * sizeof(int32_t));
}

}  // namespace kith::retrieval
