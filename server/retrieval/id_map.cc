#include "server/retrieval/id_map.h"

#include <faiss/IndexFlatCodes.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>
#include <faiss/invlists/BlockInvertedLists.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "server/retrieval/bad_index.h"
#include "server/retrieval/index_check.h"
#include "server/retrieval/row_ids.h"

namespace kith::retrieval {
namespace {

using Ids = std::vector<int64_t>;

void CheckMap(const faiss::IndexIDMap& map) {
  constexpr char kNoFit[] = "its id map does not fit";
  Require(map.index != nullptr && map.index->ntotal == map.ntotal && map.index->d == map.d, kNoFit);
  Require(static_cast<int64_t>(map.id_map.size()) == map.ntotal, kNoFit);
  RowIds ids(map.ntotal);
  for (const int64_t id : map.id_map) ids.Take(id);
}

void RenumberLists(std::vector<Ids>* lists, const Ids& ids) {
  for (Ids& list : *lists) {
    for (int64_t& id : list) id = ids[id];
  }
}

void Reorder(faiss::IndexFlatCodes* index, const Ids& ids) {
  std::vector<uint8_t> codes(index->codes.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    std::memcpy(codes.data() + ids[i] * index->code_size, index->codes.data() + i * index->code_size, index->code_size);
  }
  index->codes.swap(codes);
}

// Gives row i of `index` the id ids[i]. False where that cannot be done.
bool Renumber(faiss::Index* index, const Ids& ids) {
  if (auto* refined = dynamic_cast<faiss::IndexRefine*>(index)) {
    return Renumber(refined->base_index, ids) && Renumber(refined->refine_index, ids);
  }
  if (auto* transformed = dynamic_cast<faiss::IndexPreTransform*>(index)) return Renumber(transformed->index, ids);
  if (auto* lists = dynamic_cast<faiss::IndexIVF*>(index)) {
    if (auto* arrays = dynamic_cast<faiss::ArrayInvertedLists*>(lists->invlists)) {
      RenumberLists(&arrays->ids, ids);
      return true;
    }
    auto* blocks = dynamic_cast<faiss::BlockInvertedLists*>(lists->invlists);
    if (blocks != nullptr) RenumberLists(&blocks->ids, ids);
    return blocks != nullptr;
  }
  auto* codes = dynamic_cast<faiss::IndexFlatCodes*>(index);
  if (codes != nullptr) Reorder(codes, ids);
  return codes != nullptr;
}

}  // namespace

absl::Status TakeOffIdMap(std::unique_ptr<faiss::Index>* index) {
  auto* map = dynamic_cast<faiss::IndexIDMap*>(index->get());
  if (map == nullptr) return absl::OkStatus();
  if (absl::Status status = Checked([&] { CheckMap(*map); }); !status.ok()) return status;
  if (absl::Status status = CheckIndex(*map->index); !status.ok()) return status;
  if (!std::is_sorted(map->id_map.begin(), map->id_map.end()) && !Renumber(map->index, map->id_map)) {
    return BadIndex(
        "the index has ids of its own (IDMap) that are not in order, which can be undone for IVF, Flat, SQ and PQ "
        "only; make it anew with add instead of add_with_ids");
  }
  map->own_fields = false;
  std::unique_ptr<faiss::Index> below(map->index);
  *index = std::move(below);
  return absl::OkStatus();
}

}  // namespace kith::retrieval
