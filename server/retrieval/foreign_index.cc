#include "server/retrieval/foreign_index.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexRefine.h>
#include <faiss/index_io.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <regex>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/retrieval/bad_index.h"
#include "server/retrieval/centroids.h"
#include "server/retrieval/faiss_search.h"
#include "server/retrieval/file_kind.h"
#include "server/retrieval/guard.h"
#include "server/retrieval/id_map.h"
#include "server/retrieval/index_check.h"
#include "server/retrieval/index_parts.h"
#include "server/retrieval/index_rows.h"
#include "server/retrieval/index_text.h"
#include "server/retrieval/memory_reader.h"
#include "server/retrieval/normalize.h"
#include "server/retrieval/serialize.h"

namespace kith::retrieval {
namespace {

constexpr int64_t kTrialRows = 16;
constexpr int kTrialNeighbors = 8;

absl::StatusOr<std::unique_ptr<faiss::Index>> ReadFile(const std::string& file) {
  faiss::FileIOReader bytes(file.c_str());
  MemoryReader reader(&bytes);
  try {
    return std::unique_ptr<faiss::Index>(faiss::read_index(&reader));
  } catch (const faiss::FaissException& exception) {
    if (reader.met_disk_lists()) {
      return BadIndex(
          "the inverted lists of the index lie in a file of their own (OnDiskInvertedLists), which is not supported; "
          "make it anew with its lists in memory");
    }
    const std::string& text = exception.msg;  // with names of its source files in front
    if (text.find("not recognized") == std::string::npos) {
      return BadIndex("the index is truncated or damaged; copy the file again, or make it anew");
    }
    return BadIndex(
        "the index, or a part of it, is of a type that is not known (or it is damaged); one on a GPU is to be saved "
        "after faiss.index_gpu_to_cpu");
  } catch (const std::bad_alloc&) {
    return BadIndex("the index is damaged: a length in it is larger than it can be; copy the file again");
  }
}

// faiss's direct map, which Kith does not use, is not checked either.
void DropDirectMaps(faiss::Index* index) {
  auto* lists = const_cast<faiss::IndexIVF*>(FindLists(*index));
  if (lists != nullptr) lists->direct_map.clear();
}

SearchParams OwnParams(const faiss::Index& index, std::optional<int> fallback) {
  SearchParams params;
  if (const faiss::IndexIVF* lists = FindLists(index)) {
    const auto nprobe = lists->nprobe > 0 ? lists->nprobe : static_cast<size_t>(std::max(1, fallback.value_or(1)));
    params.nprobe = static_cast<int>(std::min(nprobe, lists->nlist));
  }
  if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index)) {
    params.k_factor = std::isnan(refined->k_factor) ? 1 : std::clamp(refined->k_factor, kMinKFactor, kMaxKFactor);
  }
  return params;
}

// A file of rows that come in any order.
class FrameFile {
 public:
  FrameFile(const std::string& path, int dimension) : file_(std::fopen(path.c_str(), "wb")), dimension_(dimension) {}
  ~FrameFile() {
    if (file_ != nullptr) std::fclose(file_);
  }
  FrameFile(const FrameFile&) = delete;
  FrameFile& operator=(const FrameFile&) = delete;

  void Write(int64_t id, const float* row) {
    const auto row_bytes = static_cast<int64_t>(sizeof(float)) * dimension_;
    if (file_ == nullptr) return;
    if (id != next_ && fseeko(file_, id * row_bytes, SEEK_SET) != 0) good_ = false;
    if (std::fwrite(row, sizeof(float), dimension_, file_) != static_cast<size_t>(dimension_)) good_ = false;
    next_ = id + 1;
  }
  bool Finish() { return file_ != nullptr && good_ && std::fclose(std::exchange(file_, nullptr)) == 0; }

 private:
  std::FILE* file_;
  const int dimension_;
  int64_t next_ = 0;
  bool good_ = true;
};

absl::Status NotWritten() {
  return Error(Reason::kStorage, "unpacking the index: its files cannot be written; free some space and try again");
}

// OK unless there are any: what TooLargeRows found, of rows with these ids.
absl::Status CheckFinite(const std::vector<int64_t>& bad, const int64_t* ids) {
  if (bad.empty()) return absl::OkStatus();
  const int64_t row = ids == nullptr ? bad[0] : ids[bad[0]];
  return BadIndex(absl::StrCat("row ", row, " of the index has values that are not finite, or a norm above ", kMaxNorm,
                               "; make it anew without that row"));
}

absl::Status WriteFrames(const faiss::Index& index, const std::string& path) {
  FrameFile file(path, index.d);
  absl::Status status;
  VisitRows(index, [&](int64_t n, const int64_t* ids, const float* rows) {
    if (status.ok()) status = CheckFinite(TooLargeRows({rows, n, index.d}), ids);
    for (int64_t i = 0; status.ok() && i < n; ++i) file.Write(ids[i], rows + i * index.d);
  });
  if (!status.ok()) return status;
  return file.Finish() ? absl::OkStatus() : NotWritten();
}

// False where there is no room for it.
bool WriteWhole(const faiss::Index& index, const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return false;
  bool written = false;
  try {
    faiss::FileIOWriter writer(file);
    faiss::write_index(&index, &writer);
    written = true;
  } catch (const faiss::FaissException&) {  // by what it could not write
  }
  return std::fclose(file) == 0 && written;
}

// What the checks did not foresee shows here rather than in the server.
absl::Status SearchSome(const faiss::Index& index) {
  std::vector<float> queries;
  VisitRows(index, [&](int64_t n, const int64_t*, const float* rows) {
    const int64_t missing = kTrialRows - static_cast<int64_t>(queries.size()) / index.d;
    if (missing > 0) queries.insert(queries.end(), rows, rows + std::min(n, missing) * index.d);
  });
  const auto n = static_cast<int64_t>(queries.size()) / index.d;
  SearchParams params = OwnParams(index, std::nullopt);
  params.k = kTrialNeighbors;
  std::vector<float> distances(n * params.k);
  std::vector<int64_t> ids(n * params.k);
  SearchShared(index, PackCentroids(index).get(), nullptr, n, queries.data(), params, distances.data(), ids.data());
  const bool in_range = std::all_of(ids.begin(), ids.end(), [&](int64_t id) { return id >= -1 && id < index.ntotal; });
  return in_range ? absl::OkStatus() : BadIndex("the index is damaged: it finds rows that it does not have");
}

absl::Status CheckSize(const faiss::Index& index, int64_t max_frame_bytes) {
  if (index.ntotal == 0) {
    return BadIndex(
        "the index holds no vectors; RVC writes two files, a trained_*.index without any and an added_*.index: "
        "give the added_ one");
  }
  const int64_t bytes = index.ntotal * index.d * static_cast<int64_t>(sizeof(float));
  if (bytes <= max_frame_bytes) return absl::OkStatus();
  return Error(Reason::kMemoryBudget,
               absl::StrCat("the index holds ", index.ntotal, " vectors of ", index.d, " values, ", bytes,
                            " bytes, and at most ", max_frame_bytes, " can be imported"));
}

absl::Status Unpack(const std::string& file, const std::string& folder, int64_t max_frame_bytes) {
  if (absl::Status status = CheckFileKind(file); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<faiss::Index>> read = ReadFile(file);
  if (!read.ok()) return read.status();
  std::unique_ptr<faiss::Index> index = *std::move(read);
  absl::Status status = TakeOffIdMap(&index);
  if (status.ok()) status = CheckIndex(*index);
  if (status.ok()) status = CheckSize(*index, max_frame_bytes);
  if (!status.ok()) return status;
  DropDirectMaps(index.get());
  status = SearchSome(*index);
  if (status.ok()) status = WriteFrames(*index, absl::StrCat(folder, "/", kUnpackedFrames));
  if (!status.ok()) return status;
  if (!WriteWhole(*index, absl::StrCat(folder, "/", kUnpackedIndex))) return NotWritten();
  std::ofstream shape(absl::StrCat(folder, "/", kUnpackedShape));
  shape << index->ntotal << " " << index->d << std::flush;
  return shape ? absl::OkStatus() : NotWritten();
}

}  // namespace

absl::Status UnpackIndex(const std::string& file, const std::string& folder, int64_t max_frame_bytes) {
  return InternalAsBadIndex(Guarded("reading it", [&] { return Unpack(file, folder, max_frame_bytes); }));
}

absl::StatusOr<UnpackedShape> ParseUnpackedShape(std::string_view text) {
  UnpackedShape shape;
  const size_t space = text.find(' ');
  const std::string rows(text.substr(0, space));
  const std::string dimension(space == std::string_view::npos ? "" : text.substr(space + 1));
  if (!absl::SimpleAtoi(rows, &shape.rows) || !absl::SimpleAtoi(dimension, &shape.dimension) || shape.rows < 1 ||
      shape.dimension < 1) {
    return BadIndex("reading the index gave no result");
  }
  return shape;
}

std::optional<int> NprobeInName(std::string_view file_name) {
  static const std::regex* const kPattern = new std::regex("_nprobe_([0-9]{1,6})_");
  const std::string name(file_name);
  std::smatch match;
  int nprobe = 0;
  if (!std::regex_search(name, match, *kPattern) || !absl::SimpleAtoi(match[1].str(), &nprobe)) return std::nullopt;
  return nprobe;
}

absl::StatusOr<std::unique_ptr<Index>> AdoptIndex(absl::FunctionRef<absl::StatusOr<size_t>(absl::Span<char>)> source,
                                                  FrameView frames, std::optional<int> nprobe,
                                                  std::string source_sha256, StepObserver observe) {
  absl::StatusOr<std::unique_ptr<faiss::Index>> read = ReadFaissIndex(source, frames.rows, frames.dimension);
  if (!read.ok()) return read.status();
  std::unique_ptr<faiss::Index> index = *std::move(read);
  if (absl::Status status = CheckIndex(*index); !status.ok()) return status;
  if (absl::Status status = CheckFinite(TooLargeRows(frames), nullptr); !status.ok()) return status;

  const SearchParams own = OwnParams(*index, nprobe);
  auto* lists = const_cast<faiss::IndexIVF*>(FindLists(*index));
  if (lists != nullptr) lists->nprobe = static_cast<size_t>(own.nprobe);  // for those who export it
  const Metric metric = index->metric_type == faiss::METRIC_L2 ? Metric::kL2 : Metric::kInnerProduct;
  BuildReport report;
  report.factory = FactoryOf(*index);
  report.nlist = lists != nullptr ? static_cast<int64_t>(lists->nlist) : 0;
  report.nprobe = own.nprobe;
  report.k_factor = own.k_factor;
  report.source_sha256 = std::move(source_sha256);
  const absl::Status status = Guarded("measuring the recall", [&] {
    const BuildPlan plan{report.factory, own.nprobe, own.k_factor};
    const auto recall = MeasureRecall(*index, frames, metric, plan, report.nlist, Recipe().seed, observe);
    if (recall.ok()) report.recall_at_8 = recall->recall_at_8;
    return recall.status();
  });
  if (!status.ok()) return InternalAsBadIndex(status);
  return std::make_unique<Index>(std::move(index), frames, metric, std::move(report));
}

}  // namespace kith::retrieval
