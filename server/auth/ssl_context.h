// A server's TLS by OpenSSL.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace kith::auth {

using SslContext = std::shared_ptr<SSL_CTX>;

// By the certificates (the server's own first), key and authorities of clients, empty for none, all in PEM. A
// certificate of the client is asked for where there are authorities, but not needed. An error says what OpenSSL has
// against them, which may be what it can read: too short a key, too weak a signature.
absl::StatusOr<SslContext> MakeSslContext(const std::string& cert, const std::string& key,
                                          const std::string& client_ca);

}  // namespace kith::auth
