// Frames read where an IVF,Flat index has them, so that they are in memory once.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "server/retrieval/flat_lists.h"
#include "server/retrieval/frame_store.h"

namespace kith::retrieval {

class ListFrames : public FrameStore {
 public:
  // Null where `index` is of another type, or its vectors are not bit for bit these frames (with cosine they have norm
  // 1).
  static std::unique_ptr<FrameStore> Of(const faiss::Index& index, FrameView frames);

  void Append(FrameView frames, absl::Span<const int64_t> lists) override;
  const float* Row(int64_t id) const override {
    const Place& place = places_[id];
    return lists_.vectors(place.list) + static_cast<int64_t>(place.row) * lists_.dimension();
  }
  int64_t rows() const override { return static_cast<int64_t>(places_.size()); }
  int64_t bytes() const override;

 private:
  struct Place {
    int32_t list;
    int32_t row;
  };

  explicit ListFrames(const FlatLists& lists) : lists_(lists) {}

  // False where ids are not 0 to rows - 1, each once.
  bool FindPlaces(int64_t rows);

  const FlatLists lists_;
  std::deque<Place> places_;   // of each id; one that does not move them to grow
  std::vector<int32_t> next_;  // of each list: the row that the next frame in it gets
};

}  // namespace kith::retrieval
