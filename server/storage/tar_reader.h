// Unpacking a tar archive that anybody may have made.
#pragma once

#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace kith::storage {

enum class TarEntry { kFile, kFolder };

// Unpacks an uncompressed tar into `folder`, which is there and empty. Every entry has to be one that `expected` knows
// by its path ("a/b", without "./" before or "/" behind it); a file comes after no other of its name. So no link, no
// device and no way out of the folder is ever made.
//
// INVALID_ARGUMENT BAD_PARAMETER where it is no such tar, or ends too early; UNAVAILABLE STORAGE.
absl::Status UnpackTar(const std::string& tar_path, const std::string& folder,
                       absl::FunctionRef<bool(TarEntry kind, std::string_view path)> expected);

}  // namespace kith::storage
