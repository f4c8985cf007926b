#include "server/http/tls.h"

#include <memory>

namespace kith::http {

Ssl Accept(const auth::PemFiles& files, int socket) {
  const std::shared_ptr<const auth::Pem> pem = files.Get();
  Ssl ssl(SSL_new(pem->context.get()));
  if (ssl == nullptr || SSL_set_fd(ssl.get(), socket) != 1) return nullptr;
  SSL_set_accept_state(ssl.get());
  return ssl;
}

bool HasCertificate(const SSL* ssl) {
  return SSL_get0_peer_certificate(ssl) != nullptr && SSL_get_verify_result(ssl) == X509_V_OK;
}

}  // namespace kith::http
