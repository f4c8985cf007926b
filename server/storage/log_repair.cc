#include "server/storage/log_repair.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "server/storage/file.h"
#include "server/storage/log_sums.h"

namespace kith::storage {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHeaderBytes = 32;
constexpr size_t kFrameHeaderBytes = 24;
constexpr size_t kSummedHeaderBytes = 24;      // of the log's header
constexpr size_t kSummedFrameHeaderBytes = 8;  // of a frame's header; the page follows
constexpr size_t kFrameSums = 16;              // where a frame's sums stand
constexpr size_t kCommitMark = 4;              // where the word stands that is 0 but in a commit's last frame
constexpr uint32_t kMagic = 0x377f0682;        // the lowest bit: words are summed big-endian
constexpr uint32_t kVersion = 3007000;

// The log's header: magic, version, page size, checkpoints, two salts; then the sums of those.
class Header {
 public:
  explicit Header(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}

  bool big_endian() const { return (bytes_[3] & 1) != 0; }
  size_t page_bytes() const { return Word(&bytes_[8], true); }
  const uint8_t* salts() const { return &bytes_[16]; }
  Sums sums() const { return StoredSums(&bytes_[kSummedHeaderBytes]); }

  bool IsSound() const {
    const size_t size = page_bytes();
    return (Word(bytes_.data(), true) | 1) == (kMagic | 1) && Word(&bytes_[4], true) == kVersion && size >= 512 &&
           size <= 65536 && (size & (size - 1)) == 0 && Computed(big_endian()) == sums();
  }

  // The change that makes it the header of a log whose first frame has these salts.
  std::optional<ByteFix> FindFix(const uint8_t* frame_salts) const {
    for (const bool big_endian : {false, true}) {
      const Sums computed = Computed(big_endian);
      std::vector<ByteFix> fixes = FixesOfSummed(Bytes(bytes_).first(kSummedHeaderBytes), big_endian, computed, sums());
      if (const auto fix = FixOfSums(&bytes_[kSummedHeaderBytes], kSummedHeaderBytes, computed)) fixes.push_back(*fix);
      for (const ByteFix& fix : fixes) {
        const Header fixed = With(fix);
        if (fixed.IsSound() && std::equal(frame_salts, frame_salts + 8, fixed.salts())) return fix;
      }
    }
    return std::nullopt;
  }

  Header With(const ByteFix& fix) const {
    Header fixed = *this;
    fixed.bytes_[fix.position] = fix.byte;
    return fixed;
  }

 private:
  Sums Computed(bool big_endian) const {
    Sums sums;
    sums.Add(Bytes(bytes_).first(kSummedHeaderBytes), big_endian);
    return sums;
  }

  std::vector<uint8_t> bytes_;
};

class Log {
 public:
  Log(InputFile file, int64_t size) : file_(std::move(file)), size_(static_cast<size_t>(size)) {}

  // Reads as far as the log goes, noting what is to be put right.
  absl::Status Read() {
    if (size_ < kHeaderBytes + kFrameHeaderBytes) return absl::OkStatus();
    if (absl::Status status = ReadHeader(); !status.ok() || !header_) return status;
    const size_t frame_bytes = kFrameHeaderBytes + header_->page_bytes();
    frame_.resize(frame_bytes);
    for (size_t start = kHeaderBytes; start + frame_bytes <= size_; start += frame_bytes) {
      const absl::StatusOr<bool> more = ReadFrame(start);
      if (!more.ok()) return more.status();
      if (!*more) break;
    }
    fixes_.resize(committed_fixes_);
    return absl::OkStatus();
  }

  const std::vector<ByteFix>& fixes() const { return fixes_; }

 private:
  absl::Status Fill(std::vector<uint8_t>* bytes) {
    return file_.ReadExactly({reinterpret_cast<char*>(bytes->data()), bytes->size()});
  }

  absl::Status ReadHeader() {
    std::vector<uint8_t> front(kHeaderBytes + kFrameHeaderBytes);
    absl::Status status = Fill(&front);
    if (status.ok()) status = file_.Rewind();
    std::vector<uint8_t> bytes(kHeaderBytes);
    if (status.ok()) status = Fill(&bytes);
    if (!status.ok()) return status;
    Header header(std::move(bytes));
    if (!header.IsSound()) {
      const auto fix = header.FindFix(&front[kHeaderBytes + 8]);
      if (!fix) return absl::OkStatus();
      fixes_.push_back(*fix);
      header = header.With(*fix);
    }
    kept_ = header.sums();
    written_ = {kept_};
    header_ = std::move(header);
    return absl::OkStatus();
  }

  // False at the log's end.
  absl::StatusOr<bool> ReadFrame(size_t start) {
    if (absl::Status status = Fill(&frame_); !status.ok()) return status;
    const size_t fixes = fixes_.size();
    if (!FixSalts(start)) return false;
    std::vector<uint8_t> summed(frame_.begin(), frame_.begin() + kSummedFrameHeaderBytes);
    summed.insert(summed.end(), frame_.begin() + kFrameHeaderBytes, frame_.end());
    const Sums stored = StoredSums(&frame_[kFrameSums]);
    if (!Follows(summed, stored)) {
      const absl::StatusOr<bool> fixed = Fix(start, stored, &summed);
      if (!fixed.ok() || !*fixed) {
        fixes_.resize(fixes);
        return fixed;
      }
    }
    kept_.Add(summed, header_->big_endian());
    KeepSums(start + kFrameSums, stored);
    if (Word(&summed[kCommitMark], true) == 0) return true;
    if (!unclear_.ok()) return unclear_;
    committed_fixes_ = fixes_.size();
    return true;
  }

  Sums Sum(const Sums& before, Bytes summed) const {
    Sums sums = before;
    sums.Add(summed, header_->big_endian());
    return sums;
  }

  // Whether the frame is as SQLite wrote it.
  bool Follows(Bytes summed, const Sums& stored) {
    if (std::none_of(written_.begin(), written_.end(), [&](const Sums& sums) { return Sum(sums, summed) == stored; })) {
      return false;
    }
    written_ = {stored};
    return true;
  }

  // Puts the frame right as far as that can be. False where it is not one that had a byte changed.
  absl::StatusOr<bool> Fix(size_t start, const Sums& stored, std::vector<uint8_t>* summed) {
    const Sums sums = Sum(written_.front(), *summed);
    const std::vector<ByteFix> fixes = FixesOfSummed(*summed, header_->big_endian(), sums, stored);
    const bool may_be_sums = FixOfSums(&frame_[kFrameSums], 0, sums).has_value();
    if (written_.size() > 1 || (fixes.empty() && !may_be_sums)) return false;
    if (fixes.size() == 1 && !may_be_sums) {
      (*summed)[fixes[0].position] = fixes[0].byte;
      fixes_.push_back({start + PlaceOfSummed(fixes[0].position), fixes[0].byte});
    } else if (!fixes.empty() && fixes.back().position < kSummedFrameHeaderBytes) {
      unclear_ = Damage(file_.path(), "one byte of what it would change is another");
    }
    written_.clear();  // where it may be either, the next frame tells
    if (!fixes.empty()) written_.push_back(stored);
    if (may_be_sums) written_.push_back(sums);
    return true;
  }

  // Where a byte of what is summed stands in the frame.
  static size_t PlaceOfSummed(size_t position) {
    return position < kSummedFrameHeaderBytes ? position : position - kSummedFrameHeaderBytes + kFrameHeaderBytes;
  }

  // False where the frame is of an earlier log.
  bool FixSalts(size_t start) {
    std::optional<ByteFix> fix;
    for (size_t i = 0; i < 8; ++i) {
      const uint8_t byte = header_->salts()[i];
      if (frame_[8 + i] == byte) continue;
      if (fix) return false;
      fix = ByteFix{start + 8 + i, byte};
    }
    if (fix) fixes_.push_back(*fix);
    return true;
  }

  // Makes the sums at `position`, now `stored`, those of what is kept.
  void KeepSums(size_t position, const Sums& stored) {
    if (kept_ == stored) return;
    for (const uint32_t word : {kept_.first, kept_.second}) {
      for (const int shift : {24, 16, 8, 0}) fixes_.push_back({position++, static_cast<uint8_t>(word >> shift)});
    }
  }

  InputFile file_;
  const size_t size_;
  std::optional<Header> header_;
  std::vector<uint8_t> frame_;
  std::vector<Sums> written_;  // the sums up to here as SQLite wrote them, where need be two that they may be
  Sums kept_;                  // the same with what could not be put right
  std::vector<ByteFix> fixes_;
  // What is behind the last commit counts for nothing: there a killed process leaves frames that it was writing over.
  size_t committed_fixes_ = 0;
  absl::Status unclear_;  // an error if a commit follows
};

absl::Status WriteFixes(const std::string& path, const std::vector<ByteFix>& fixes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) return WriteError("opening", path, errno);
  for (const ByteFix& fix : fixes) {
    if (::pwrite(file.get(), &fix.byte, 1, static_cast<off_t>(fix.position)) != 1) {
      return WriteError("writing", path, errno);
    }
  }
  return ::fsync(file.get()) == 0 ? absl::OkStatus() : WriteError("syncing", path, errno);
}

// All fixes or none: with some of them the log would end where they do.
absl::Status ReplaceFixed(const std::string& path, const std::vector<ByteFix>& fixes) {
  const std::string copy = path + "-repaired";
  std::error_code error;
  fs::copy_file(path, copy, fs::copy_options::overwrite_existing, error);
  if (error) return WriteError("writing", copy, error.value());
  absl::Status status = WriteFixes(copy, fixes);
  if (status.ok()) status = Rename(copy, path);
  if (status.ok()) status = SyncFolder(fs::path(path).parent_path().string());
  return status;
}

absl::StatusOr<std::vector<ByteFix>> FindFixes(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::vector<ByteFix>();
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  const absl::StatusOr<int64_t> size = file->Size();
  if (!size.ok()) return size.status();
  Log log(*std::move(file), *size);
  if (absl::Status status = log.Read(); !status.ok()) return status;
  return log.fixes();
}

}  // namespace

absl::StatusOr<int64_t> RepairLog(const std::string& path) {
  const auto fixes = FindFixes(path);
  if (!fixes.ok()) return fixes.status();
  if (fixes->empty()) return 0;
  if (absl::Status status = ReplaceFixed(path, *fixes); !status.ok()) return status;
  return static_cast<int64_t>(fixes->size());
}

absl::StatusOr<int64_t> CountLogRepairs(const std::string& path) {
  const auto fixes = FindFixes(path);
  if (!fixes.ok()) return fixes.status();
  return static_cast<int64_t>(fixes->size());
}

}  // namespace kith::storage
