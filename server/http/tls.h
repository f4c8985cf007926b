// TLS over the sockets of the HTTP server, by OpenSSL.
#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "server/auth/pem.h"

namespace kith::http {

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Ssl = std::unique_ptr<SSL, SslFree>;

// The server's side of a connection by what the files have now, whose handshake comes with the first read or write. A
// certificate of the client is asked for where the files name authorities, but not needed: see HasCertificate. Null
// where OpenSSL fails. Thread-safe.
Ssl Accept(const auth::PemFiles& files, int socket);

// Whether the client has shown a certificate; a bad one ends the handshake.
bool HasCertificate(const SSL* ssl);

}  // namespace kith::http
