#include "server/retrieval/file_kind.h"

#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "server/retrieval/bad_index.h"

namespace kith::retrieval {

absl::Status CheckFileKind(const std::string& file) {
  std::string start(64, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<size_t>(stream.gcount()));
  if (start.empty()) return BadIndex("the file is empty; give a faiss index, such as RVC's added_*.index");
  if (absl::StartsWith(start, "\x93NUMPY")) {
    return BadIndex("the file is a .npy, features and no index; train on it instead (kith train NAME FILE.npy)");
  }
  if (absl::StartsWith(start, "PK")) {
    return BadIndex("the file is a zip archive or a PyTorch model (.pth), no index; give the .index file");
  }
  if (start[0] == '\x80') return BadIndex("the file is a Python pickle or model, no index; give the .index file");
  if (absl::StartsWith(start, "version https://git-lfs")) {
    return BadIndex("the file is a Git LFS pointer; run git lfs pull to get the index itself");
  }
  if (absl::StartsWith(start, "IB")) {
    return BadIndex("the file is a binary faiss index, over bits; give one over float vectors");
  }
  const bool is_index = start.size() >= 4 && start[0] == 'I' && absl::ascii_isalnum(start[1]) &&
                        absl::ascii_isalnum(start[2]) && absl::ascii_isalnum(start[3]);
  if (!is_index) return BadIndex("the file is no faiss index; give one such as RVC's added_*.index");
  return absl::OkStatus();
}

}  // namespace kith::retrieval
