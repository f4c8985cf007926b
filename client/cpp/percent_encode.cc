#include "client/cpp/percent_encode.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"

namespace kith::client {

std::string PercentEncode(std::string_view text) {
  std::string encoded;
  for (const unsigned char byte : text) {
    const bool unreserved = absl::ascii_isalnum(byte) || byte == '-' || byte == '.' || byte == '_' || byte == '~';
    if (unreserved) {
      encoded.push_back(static_cast<char>(byte));
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", byte);
    }
  }
  return encoded;
}

}  // namespace kith::client
