#include "server/storage/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/storage/file.h"
#include "server/storage/quoted.h"

namespace kith::storage {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

struct Free {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, Free>;

absl::Status NoBackup(const std::string& why) {
  return Error(Reason::kBadParameter, absl::StrCat("this is no whole backup: ", why));
}

absl::Status ReadFailure(archive* reader) {
  const char* text = archive_error_string(reader);
  return NoBackup(text == nullptr ? "it cannot be read" : text);
}

// "./a/b/" is "a/b"; the folder itself is "".
std::string Normal(std::string_view path) {
  while (path.substr(0, 2) == "./") path.remove_prefix(2);
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  return std::string(path == "." ? std::string_view() : path);
}

absl::Status UnpackFile(archive* reader, const std::string& path) {
  auto file = OutputFile::Create(path);
  if (!file.ok()) return file.status();
  std::vector<char> piece(kPieceBytes);
  for (;;) {
    const auto count = archive_read_data(reader, piece.data(), piece.size());
    if (count < 0) return ReadFailure(reader);
    if (count == 0) return file->Finish().status();
    const absl::Status status = file->Write({piece.data(), static_cast<size_t>(count)});
    if (!status.ok()) return status;
  }
}

}  // namespace

absl::Status UnpackTar(const std::string& tar_path, const std::string& folder,
                       absl::FunctionRef<bool(TarEntry, std::string_view)> expected) {
  const Reader reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_filename(reader.get(), tar_path.c_str(), kPieceBytes) != ARCHIVE_OK) {
    return ReadFailure(reader.get());
  }
  std::set<std::string> files;
  for (archive_entry* entry = nullptr;;) {
    const int result = archive_read_next_header(reader.get(), &entry);
    if (result == ARCHIVE_EOF) return files.empty() ? NoBackup("it is empty") : absl::OkStatus();
    if (result != ARCHIVE_OK) return ReadFailure(reader.get());
    const char* name = archive_entry_pathname(entry);
    const std::string path = Normal(name == nullptr ? "" : name);
    const bool is_file = archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr;
    const bool is_folder = archive_entry_filetype(entry) == AE_IFDIR;
    const bool fits = (is_file && expected(TarEntry::kFile, path) && files.insert(path).second) ||
                      (is_folder && (path.empty() || expected(TarEntry::kFolder, path)));
    if (!fits) return NoBackup(absl::StrCat("it has the entry ", Quoted(name == nullptr ? "" : name)));
    const std::string target = absl::StrCat(folder, "/", path);
    absl::Status status = MakeFolders(is_folder ? target : target.substr(0, target.rfind('/')));
    if (status.ok() && is_file) status = UnpackFile(reader.get(), target);
    if (!status.ok()) return status;
  }
}

}  // namespace kith::storage
