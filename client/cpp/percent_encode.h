// Names in metadata and URLs.
#pragma once

#include <string>
#include <string_view>

namespace kith::client {

// RFC 3986: unreserved characters as they are, every other byte as %XX.
std::string PercentEncode(std::string_view text);

}  // namespace kith::client
