#include "server/retrieval/frame_store.h"

#include <regex>

#include "server/retrieval/frame_chunks.h"
#include "server/retrieval/list_frames.h"

namespace kith::retrieval {

bool KeepsFramesOnce(absl::string_view factory, Metric metric) {
  static const std::regex* const kListsOfVectors = new std::regex("IVF[0-9]+(_HNSW[0-9]*)?,Flat");
  return metric != Metric::kCosine && std::regex_match(factory.begin(), factory.end(), *kListsOfVectors);
}

std::unique_ptr<FrameStore> MakeFrameStore(const faiss::Index& index, FrameView frames) {
  std::unique_ptr<FrameStore> in_lists = ListFrames::Of(index, frames);
  if (in_lists != nullptr) return in_lists;
  auto copied = std::make_unique<FrameChunks>(frames.dimension);
  copied->Append(frames, {});
  return copied;
}

}  // namespace kith::retrieval
