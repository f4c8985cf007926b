#include "server/retrieval/grown_lists.h"

#include <faiss/IndexIVF.h>
#include <faiss/invlists/InvertedLists.h>

#include <map>
#include <utility>

namespace kith::retrieval {
namespace {

// A copy with room for so many more, and a quarter besides for those to come; empty where there is room.
template <typename T>
std::vector<T> Grown(const std::vector<T>& values, size_t more) {
  const size_t size = values.size() + more;
  std::vector<T> grown;
  if (size <= values.capacity()) return grown;
  grown.reserve(size + size / 4);
  grown.assign(values.begin(), values.end());
  return grown;
}

}  // namespace

GrownLists::GrownLists(faiss::IndexIVF* index, const std::vector<int64_t>& assigned) : index_(index) {
  const auto* lists = dynamic_cast<const faiss::ArrayInvertedLists*>(index->invlists);
  if (lists == nullptr) return;
  std::map<int64_t, size_t> rows;
  for (const int64_t list : assigned) {
    if (list >= 0) ++rows[list];
  }
  for (const auto& [list, more] : rows) {
    const auto number = static_cast<size_t>(list);
    List grown{number, Grown(lists->codes[number], more * index->code_size), Grown(lists->ids[number], more)};
    if (grown.codes.capacity() > 0 || grown.ids.capacity() > 0) lists_.push_back(std::move(grown));
  }
}

void GrownLists::Swap() {
  for (List& list : lists_) {
    auto& lists = dynamic_cast<faiss::ArrayInvertedLists&>(*index_->invlists);
    if (list.codes.capacity() > 0) lists.codes[list.number].swap(list.codes);
    if (list.ids.capacity() > 0) lists.ids[list.number].swap(list.ids);
  }
}

void ShrinkLists(faiss::IndexIVF* index) {
  auto* lists = dynamic_cast<faiss::ArrayInvertedLists*>(index->invlists);
  if (lists == nullptr) return;
  for (auto& codes : lists->codes) codes.shrink_to_fit();
  for (auto& ids : lists->ids) ids.shrink_to_fit();
}

}  // namespace kith::retrieval
