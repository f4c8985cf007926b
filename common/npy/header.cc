#include "common/npy/header.h"

#include <limits>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "common/npy/dict.h"
#include "common/npy/npy.h"

namespace kith::npy {
namespace {

constexpr absl::string_view kMagic = "\x93NUMPY";

absl::Status Bad(absl::string_view message) { return absl::InvalidArgumentError(message); }

// The error for a file that does not start with the magic bytes; names what people take for a .npy by mistake.
absl::Status NotNpy(absl::string_view start) {
  if (start.empty()) return Bad("the file is empty");
  if (absl::StartsWith(kMagic, start)) return Bad("the file is truncated inside its header; copy or extract it again");
  absl::string_view guess;
  if (absl::StartsWith(start, "PK")) {
    guess = "a zip archive (.npz or PyTorch); load it and save one array with numpy.save";
  } else if (start[0] == '\x80') {
    guess = "a Python pickle; load it and save the array with numpy.save";
  } else if (absl::StartsWith(start, "version https://git-lfs")) {
    guess = "a Git LFS pointer; run git lfs pull to get the file itself";
  } else if (start.size() >= 4 && start[0] == 'I' && absl::ascii_isalnum(start[1]) && absl::ascii_isalnum(start[2]) &&
             absl::ascii_isalnum(start[3])) {
    guess = "a faiss index; import it instead (kith import NAME FILE), or give the features it was made of (.npy)";
  } else {
    return Bad("not a .npy file; save the features with numpy.save");
  }
  return Bad(absl::StrCat("not a .npy file: it looks like ", guess));
}

absl::Status CheckDtype(absl::string_view descr) {
  if (descr == "<f4" || descr == "<f2") return absl::OkStatus();
  if (descr == "[") return Bad("a structured dtype; save one plain array of dtype float32");
  if (descr == "|O" || descr == "O") {
    return Bad("dtype object: rows of unequal length or no array at all; save one array of dtype float32");
  }
  const std::string shown = absl::CHexEscape(descr.substr(0, 32));
  if (absl::StartsWith(descr, ">")) {
    return Bad(absl::StrCat("dtype '", shown, "' is big-endian; save it as .astype('<f4')"));
  }
  return Bad(absl::StrCat("dtype '", shown, "'; only float32 ('<f4') and float16 ('<f2') are read; save it as ",
                          ".astype('float32')"));
}

absl::Status CheckShape(absl::Span<const int64_t> shape) {
  constexpr size_t kShown = 8;
  const std::string shown =
      absl::StrCat("shape (", absl::StrJoin(shape.subspan(0, kShown), ", "), shape.size() > kShown ? ", ..." : "", ")");
  for (const int64_t length : shape) {
    if (length < 0) return Bad(absl::StrCat(shown, " has a negative length; the file is damaged"));
  }
  if (shape.size() == 3 && shape[0] != 1) {
    return Bad(absl::StrCat(shown, " is a batch of ", shape[0], "; save one [T, d] matrix per file"));
  }
  if (shape.size() != 2 && shape.size() != 3) {
    return Bad(absl::StrCat(shown, " has ", shape.size(), " dimension(s); [T, d] or [1, T, d] is needed"));
  }
  if (shape.back() == 0) return Bad(absl::StrCat(shown, " has no columns; [T, d] with d of at least 1 is needed"));
  if (shape.back() > std::numeric_limits<int32_t>::max()) return Bad(absl::StrCat(shown, " has too many columns"));
  return absl::OkStatus();
}

// Where the dict stands in `start`, by the version and length in front of it.
absl::StatusOr<absl::string_view> FindDict(absl::string_view start, int64_t file_size) {
  constexpr size_t kVersionEnd = kMagic.size() + 2;
  if (!absl::StartsWith(start, kMagic)) return NotNpy(start);
  const absl::Status truncated = Bad("the file is truncated inside its header; copy or extract it again");
  if (start.size() < kVersionEnd) return truncated;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(start[i]); };
  const int major = byte(6), minor = byte(7);
  if (major < 1 || major > 3 || minor != 0) {
    return Bad(absl::StrCat(".npy format version ", major, ".", minor, "; 1.0, 2.0 and 3.0 are read"));
  }
  const size_t length_bytes = major == 1 ? 2 : 4;
  const size_t offset = kVersionEnd + length_bytes;
  if (start.size() < offset) return truncated;
  uint32_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) length |= uint32_t{byte(kVersionEnd + i)} << (8 * i);
  if (length > file_size - static_cast<int64_t>(offset)) return truncated;
  if (length > start.size() - offset) {
    return Bad(absl::StrCat("a header of ", length, " bytes, where numpy writes about a hundred; the file is damaged"));
  }
  return start.substr(offset, length);
}

}  // namespace

absl::StatusOr<Layout> ParseLayout(absl::string_view start, int64_t file_size) {
  const absl::StatusOr<absl::string_view> text = FindDict(start, file_size);
  if (!text.ok()) return text.status();
  const absl::StatusOr<HeaderDict> dict = ParseHeaderDict(*text);
  if (!dict.ok()) return Bad(absl::StrCat("unreadable .npy header: ", dict.status().message()));
  if (absl::Status status = CheckDtype(dict->descr); !status.ok()) return status;
  if (absl::Status status = CheckShape(dict->shape); !status.ok()) return status;

  Layout layout;
  layout.half = dict->descr == "<f2";
  layout.fortran_order = dict->fortran_order;
  layout.columns = dict->shape.back();
  layout.rows = dict->shape[dict->shape.size() - 2];
  layout.offset = text->data() + text->size() - start.data();
  const int64_t row_bytes = layout.columns * layout.value_bytes();
  const int64_t held = file_size - layout.offset;
  if (layout.rows > held / row_bytes) {
    return Bad(absl::StrCat("the file is truncated: its header says ", layout.rows, " rows of ", layout.columns,
                            " values (", row_bytes, " bytes each), but only ", held,
                            " bytes follow; copy or extract it again"));
  }
  return layout;
}

std::string Header(Type type, int64_t rows, int64_t columns) {
  std::string header =
      absl::StrCat(kMagic, absl::string_view("\x01\0\x76\0", 4), "{'descr': '", type == Type::kFloat32 ? "<f4" : "<i8",
                   "', 'fortran_order': False, 'shape': (", rows, ", ", columns, "), }");
  header.resize(kHeaderBytes, ' ');
  header.back() = '\n';
  return header;
}

}  // namespace kith::npy
