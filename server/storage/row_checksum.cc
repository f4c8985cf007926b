#include "server/storage/row_checksum.h"

#include "absl/strings/str_cat.h"
#include "server/base/checksum.h"

namespace kith::storage {

RowChecksum& RowChecksum::Add(std::string_view text) {
  absl::StrAppend(&bytes_, text.size(), ":");
  bytes_.append(text);
  return *this;
}

RowChecksum& RowChecksum::Add(int64_t value) { return Add(absl::StrCat(value)); }

std::string RowChecksum::Finish() const {
  Sha256 sha256;
  sha256.Update(bytes_.data(), bytes_.size());
  return sha256.Finish();
}

}  // namespace kith::storage
