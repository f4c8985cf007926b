#include "server/retrieval/list_check.h"

#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/invlists/BlockInvertedLists.h>

#include <vector>

#include "server/retrieval/bad_index.h"
#include "server/retrieval/code_check.h"
#include "server/retrieval/index_parts.h"
#include "server/retrieval/row_ids.h"

namespace kith::retrieval {
namespace {

void CheckIds(const std::vector<std::vector<int64_t>>& lists, int64_t rows) {
  RowIds ids(rows);
  for (const std::vector<int64_t>& list : lists) {
    for (const int64_t id : list) ids.Take(id);
  }
  Require(ids.taken() == rows, "its lists do not hold as many rows as it says");
}

void CheckListCode(const faiss::IndexIVF& index) {
  if (Exactly<faiss::IndexIVFFlat>(index) != nullptr) {
    Require(index.code_size == sizeof(float) * index.d, "its code size does not fit");
  } else if (const auto* scalar = Exactly<faiss::IndexIVFScalarQuantizer>(index)) {
    CheckQuantizer(scalar->sq, index.d);
    Require(index.code_size == scalar->sq.code_size, "its code size does not fit");
  } else if (const auto* product = Exactly<faiss::IndexIVFPQ>(index)) {
    CheckQuantizer(product->pq, index.d);
    Require(index.code_size == product->pq.code_size, "its code size does not fit");
    Require(product->polysemous_ht == 0, "its search settings are out of range");
  } else if (const auto* fast_scan = Exactly<faiss::IndexIVFPQFastScan>(index)) {
    CheckQuantizer(fast_scan->pq, index.d);
    Require(index.code_size == fast_scan->pq.code_size, "its code size does not fit");
    CheckFastScan(fast_scan->bbs, fast_scan->M, fast_scan->M2, fast_scan->nbits);
    Require(fast_scan->implem == 0 && fast_scan->qbs == 0 && fast_scan->qbs2 == 0 && fast_scan->skip == 0,
            kFastScanSettings);
  } else {
    Unsupported();
  }
}

void CheckArrays(const faiss::IndexIVF& index) {
  const auto* lists = dynamic_cast<const faiss::ArrayInvertedLists*>(index.invlists);
  if (lists == nullptr) Unsupported();
  Require(lists->code_size == index.code_size && lists->ids.size() == index.nlist && lists->codes.size() == index.nlist,
          "its lists do not fit");
  for (size_t i = 0; i < index.nlist; ++i) {
    Require(lists->codes[i].size() == lists->ids[i].size() * lists->code_size, "a list is too short or too long");
  }
  CheckIds(lists->ids, index.ntotal);
}

void CheckBlocks(const faiss::IndexIVFPQFastScan& index) {
  const auto* lists = dynamic_cast<const faiss::BlockInvertedLists*>(index.invlists);
  if (lists == nullptr) Unsupported();
  const auto bbs = static_cast<size_t>(index.bbs);
  Require(lists->n_per_block == bbs && lists->block_size == bbs * index.M2 / 2 && lists->ids.size() == index.nlist &&
              lists->codes.size() == index.nlist,
          "its lists do not fit");
  for (size_t i = 0; i < index.nlist; ++i) {
    const size_t blocks = (lists->ids[i].size() + bbs - 1) / bbs;
    Require(lists->codes[i].size() == blocks * lists->block_size, "a list is too short or too long");
  }
  CheckIds(lists->ids, index.ntotal);
}

}  // namespace

void CheckInvertedLists(const faiss::IndexIVF& index) {
  Require(index.invlists->nlist == index.nlist, "it has too few or too many lists");
  Require(index.parallel_mode == 0 && index.max_codes == 0, "its search settings are out of range");
  CheckListCode(index);
  if (const auto* fast_scan = Exactly<faiss::IndexIVFPQFastScan>(index)) {
    CheckBlocks(*fast_scan);
  } else {
    CheckArrays(index);
  }
}

}  // namespace kith::retrieval
