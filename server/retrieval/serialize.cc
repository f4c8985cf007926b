#include "server/retrieval/serialize.h"

#include <faiss/impl/io.h>
#include <faiss/index_io.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/retrieval/bad_index.h"
#include "server/retrieval/guard.h"
#include "server/retrieval/memory_reader.h"

namespace kith::retrieval {
namespace {

// Where a piece is cut short faiss throws; status() then says why.
class SinkWriter : public faiss::IOWriter {
 public:
  explicit SinkWriter(absl::FunctionRef<absl::Status(absl::Span<const char>)> sink) : sink_(sink) {
    name = "the snapshot";
  }

  size_t operator()(const void* data, size_t size, size_t count) override {
    if (status_.ok()) status_ = sink_({static_cast<const char*>(data), size * count});
    return status_.ok() ? count : 0;
  }
  const absl::Status& status() const { return status_; }

 private:
  absl::FunctionRef<absl::Status(absl::Span<const char>)> sink_;
  absl::Status status_;
};

class SourceReader : public faiss::IOReader {
 public:
  explicit SourceReader(absl::FunctionRef<absl::StatusOr<size_t>(absl::Span<char>)> source) : source_(source) {
    name = "the snapshot";
  }

  size_t operator()(void* data, size_t size, size_t count) override {
    size_t filled = 0;
    while (status_.ok() && filled < size * count) {
      const absl::StatusOr<size_t> got = source_({static_cast<char*>(data) + filled, size * count - filled});
      if (!got.ok()) status_ = got.status();
      if (!got.ok() || *got == 0) break;
      filled += *got;
    }
    return size == 0 ? 0 : filled / size;
  }
  const absl::Status& status() const { return status_; }

 private:
  absl::FunctionRef<absl::StatusOr<size_t>(absl::Span<char>)> source_;
  absl::Status status_;
};

absl::Status Damaged(absl::string_view why) {
  return Error(absl::StatusCode::kDataLoss, Reason::kStorage, absl::StrCat("the stored index is damaged: ", why));
}

}  // namespace

absl::Status WriteIndex(const Index& index, absl::FunctionRef<absl::Status(absl::Span<const char>)> sink) {
  SinkWriter writer(sink);
  absl::Status status = Guarded("writing the index", [&] { faiss::write_index(&index.faiss_index(), &writer); });
  return writer.status().ok() ? status : writer.status();
}

absl::StatusOr<std::unique_ptr<faiss::Index>> ReadFaissIndex(
    absl::FunctionRef<absl::StatusOr<size_t>(absl::Span<char>)> source, int64_t rows, int dimension) {
  SourceReader bytes(source);
  MemoryReader reader(&bytes);
  std::unique_ptr<faiss::Index> index;
  const absl::Status status = Guarded("reading the index", [&] { index.reset(faiss::read_index(&reader)); });
  if (!bytes.status().ok()) return bytes.status();
  if (reader.met_disk_lists()) return BadIndex("the lists of the index lie in another file");
  if (absl::IsInternal(status)) return BadIndex(status.message());
  if (!status.ok()) return status;
  if (index->d != dimension || index->ntotal != rows) {
    return BadIndex(absl::StrCat("the index has ", index->ntotal, " rows of ", index->d, " dimensions, the frames ",
                                 rows, " of ", dimension));
  }
  return index;
}

absl::StatusOr<std::unique_ptr<Index>> ReadIndex(absl::FunctionRef<absl::StatusOr<size_t>(absl::Span<char>)> source,
                                                 FrameView frames, Metric metric, const BuildReport& report) {
  absl::StatusOr<std::unique_ptr<faiss::Index>> index = ReadFaissIndex(source, frames.rows, frames.dimension);
  const std::string reason = ReasonOf(index.status());
  if (reason == ReasonName(Reason::kBadIndex) || reason == ReasonName(Reason::kMemoryBudget)) {
    return Damaged(index.status().message());
  }
  if (!index.ok()) return index.status();
  if ((*index)->metric_type != (metric == Metric::kL2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT)) {
    return Damaged("it has another metric");
  }
  std::unique_ptr<Index> ready;
  // Of what it makes of the lists, too, there may be no memory for.
  const absl::Status status =
      Guarded("loading the index", [&] { ready = std::make_unique<Index>(*std::move(index), frames, metric, report); });
  if (!status.ok()) return status;
  return ready;
}

}  // namespace kith::retrieval
