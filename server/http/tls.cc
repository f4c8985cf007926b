#include "server/http/tls.h"

#include <openssl/err.h>

#include <utility>

#include "server/auth/openssl.h"

namespace kith::http {
namespace {

using auth::BioOf;
using auth::NextCertificate;
using auth::Owned;

bool UseCertificate(SSL_CTX* context, const auth::Pem& pem) {
  const Owned<BIO> bio = BioOf(pem.cert);
  const Owned<X509> own = NextCertificate(bio.get());
  if (own == nullptr || SSL_CTX_use_certificate(context, own.get()) != 1) return false;
  while (const Owned<X509> between = NextCertificate(bio.get())) {
    if (SSL_CTX_add1_chain_cert(context, between.get()) != 1) return false;
  }
  const Owned<EVP_PKEY> key = auth::PrivateKeyOf(pem.key);
  return key != nullptr && SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

bool AskForCertificates(SSL_CTX* context, const auth::Pem& pem) {
  if (pem.client_ca.empty()) return true;
  const Owned<BIO> bio = BioOf(pem.client_ca);
  while (const Owned<X509> authority = NextCertificate(bio.get())) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1) return false;
    if (SSL_CTX_add_client_CA(context, authority.get()) != 1) return false;
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return true;
}

SslContext NewContext(const auth::Pem& pem) {
  SslContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr) return nullptr;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // httplib writes what is left of its own.
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A connection is one request; nothing is resumed.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(context.get(), 0);
  const bool good = UseCertificate(context.get(), pem) && AskForCertificates(context.get(), pem);
  ERR_clear_error();
  return good ? context : nullptr;
}

}  // namespace

SslContext TlsSource::Current() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto pem = files_->Get();
  if (pem == pem_) return context_;
  SslContext context = NewContext(*pem);
  if (context == nullptr) return context_;
  pem_ = pem;
  context_ = std::move(context);
  return context_;
}

Ssl TlsSource::Accept(int socket) {
  const SslContext context = Current();
  if (context == nullptr) return nullptr;
  Ssl ssl(SSL_new(context.get()));
  if (ssl == nullptr || SSL_set_fd(ssl.get(), socket) != 1) return nullptr;
  SSL_set_accept_state(ssl.get());
  return ssl;
}

bool HasCertificate(const SSL* ssl) {
  return SSL_get0_peer_certificate(ssl) != nullptr && SSL_get_verify_result(ssl) == X509_V_OK;
}

}  // namespace kith::http
