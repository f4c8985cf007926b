#include "server/auth/ssl_context.h"

#include <openssl/err.h>

#include "server/auth/openssl.h"

namespace kith::auth {
namespace {

bool UseCertificate(SSL_CTX* context, const std::string& cert, const std::string& key) {
  const Owned<BIO> bio = BioOf(cert);
  const Owned<X509> own = NextCertificate(bio.get());
  if (own == nullptr || SSL_CTX_use_certificate(context, own.get()) != 1) return false;
  while (const Owned<X509> between = NextCertificate(bio.get())) {
    if (SSL_CTX_add1_chain_cert(context, between.get()) != 1) return false;
  }
  const Owned<EVP_PKEY> private_key = PrivateKeyOf(key);
  return private_key != nullptr && SSL_CTX_use_PrivateKey(context, private_key.get()) == 1;
}

bool AskForCertificates(SSL_CTX* context, const std::string& client_ca) {
  if (client_ca.empty()) return true;
  const Owned<BIO> bio = BioOf(client_ca);
  while (const Owned<X509> authority = NextCertificate(bio.get())) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1) return false;
    if (SSL_CTX_add_client_CA(context, authority.get()) != 1) return false;
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return true;
}

absl::Status WhatOpenSslSays() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return absl::InvalidArgumentError(reason == nullptr ? "it fails" : reason);
}

}  // namespace

absl::StatusOr<SslContext> MakeSslContext(const std::string& cert, const std::string& key,
                                          const std::string& client_ca) {
  ERR_clear_error();
  SslContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr) return WhatOpenSslSays();
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // Who writes goes on with what is left of bytes that may have moved.
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Over HTTP a connection is one request; nothing is resumed.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(context.get(), 0);
  if (!UseCertificate(context.get(), cert, key) || !AskForCertificates(context.get(), client_ca)) {
    return WhatOpenSslSays();
  }
  ERR_clear_error();
  return context;
}

}  // namespace kith::auth
