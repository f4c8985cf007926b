#include "server/retrieval/flat_lists.h"

#include <faiss/IndexIVFFlat.h>
#include <faiss/invlists/InvertedLists.h>

#include <typeinfo>

namespace kith::retrieval {

std::optional<FlatLists> FlatLists::Of(const faiss::Index& index) {
  if (typeid(index) != typeid(faiss::IndexIVFFlat)) return std::nullopt;  // those derived hold something else
  const auto& flat = static_cast<const faiss::IndexIVFFlat&>(index);
  const auto* lists = dynamic_cast<const faiss::ArrayInvertedLists*>(flat.invlists);
  const bool is_known = flat.metric_type == faiss::METRIC_L2 || flat.metric_type == faiss::METRIC_INNER_PRODUCT;
  if (lists == nullptr || !is_known) return std::nullopt;
  return FlatLists(lists, flat.d, flat.metric_type == faiss::METRIC_L2);
}

int64_t FlatLists::size() const { return static_cast<int64_t>(lists_->nlist); }

int64_t FlatLists::rows(int64_t list) const { return static_cast<int64_t>(lists_->ids[list].size()); }

const int64_t* FlatLists::ids(int64_t list) const { return lists_->ids[list].data(); }

const float* FlatLists::vectors(int64_t list) const {
  return reinterpret_cast<const float*>(lists_->codes[list].data());
}

}  // namespace kith::retrieval
