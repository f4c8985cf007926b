// TLS over the sockets of the HTTP server, by OpenSSL.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <mutex>

#include "server/auth/pem.h"

namespace kith::http {

using SslContext = std::shared_ptr<SSL_CTX>;
struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Ssl = std::unique_ptr<SSL, SslFree>;

// Makes connections by what the files have when they come. Thread-safe.
class TlsSource {
 public:
  // `files` outlives this.
  explicit TlsSource(const auth::PemFiles* files) : files_(files) {}

  // The server's side of a connection, whose handshake comes with the first read or write. A certificate of the client
  // is asked for where the files name authorities, but not needed: see HasCertificate. Null where OpenSSL fails.
  Ssl Accept(int socket);

 private:
  SslContext Current();

  const auth::PemFiles* const files_;
  std::mutex mutex_;
  std::shared_ptr<const auth::Pem> pem_;  // guarded by mutex_: what context_ is of
  SslContext context_;                    // guarded by mutex_
};

// Whether the client has shown a certificate; a bad one ends the handshake.
bool HasCertificate(const SSL* ssl);

}  // namespace kith::http
