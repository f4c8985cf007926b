#include "server/storage/tar_writer.h"

#include <archive.h>
#include <archive_entry.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::storage {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

}  // namespace

TarWriter::TarWriter(ByteSink sink, absl::Time time) : sink_(sink), time_(time), archive_(archive_write_new()) {
  archive_write_set_format_pax_restricted(archive_);
  archive_write_add_filter_none(archive_);
  archive_write_set_bytes_per_block(archive_, kPieceBytes);
  archive_write_set_bytes_in_last_block(archive_, 1);
  archive_write_open2(archive_, this, nullptr, Write, nullptr, nullptr);
}

TarWriter::~TarWriter() {
  archive_write_fail(archive_);  // writes nothing more
  archive_write_free(archive_);
}

ssize_t TarWriter::Write(archive* archive, void* self, const void* data, size_t size) {
  auto* writer = static_cast<TarWriter*>(self);
  writer->sink_status_ = writer->sink_({static_cast<const char*>(data), size});
  if (!writer->sink_status_.ok()) {
    archive_set_error(archive, EIO, "the sink failed");
    return -1;
  }
  writer->bytes_ += static_cast<int64_t>(size);
  return static_cast<ssize_t>(size);
}

absl::Status TarWriter::Failure() const {
  if (!sink_status_.ok()) return sink_status_;
  const char* text = archive_error_string(archive_);
  return Error(Reason::kInternal, absl::StrCat("writing the tar: ", text == nullptr ? "unknown error" : text));
}

absl::Status TarWriter::AddHeader(const std::string& path, unsigned type, unsigned mode, int64_t size) {
  const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), path.c_str());
  archive_entry_set_filetype(entry.get(), type);
  archive_entry_set_perm(entry.get(), mode);
  archive_entry_set_size(entry.get(), size);
  archive_entry_set_mtime(entry.get(), absl::ToTimeT(time_), 0);
  return archive_write_header(archive_, entry.get()) == ARCHIVE_OK ? absl::OkStatus() : Failure();
}

absl::Status TarWriter::AddFolder(const std::string& path) { return AddHeader(path + "/", AE_IFDIR, 0750, 0); }

absl::Status TarWriter::AddFile(const std::string& path, int64_t size, ByteSource source) {
  const absl::Status status = AddHeader(path, AE_IFREG, 0640, size);
  if (!status.ok()) return status;
  std::vector<char> piece(kPieceBytes);
  for (int64_t left = size;;) {
    const absl::StatusOr<size_t> count = source(absl::MakeSpan(piece));
    if (!count.ok()) return count.status();
    if (*count == 0 && left == 0) return absl::OkStatus();
    left -= static_cast<int64_t>(*count);
    if (*count == 0 || left < 0) {
      return Error(absl::StatusCode::kDataLoss, Reason::kStorage,
                   absl::StrCat(path, " did not have ", size, " bytes when it was backed up"));
    }
    if (archive_write_data(archive_, piece.data(), *count) < 0) return Failure();
  }
}

absl::Status TarWriter::Finish() { return archive_write_close(archive_) == ARCHIVE_OK ? absl::OkStatus() : Failure(); }

}  // namespace kith::storage
