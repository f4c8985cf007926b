// OpenSSL's objects as things that free themselves, and what is read from PEM.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace kith::auth {

struct OpenSslFreer {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* cert) const { X509_free(cert); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <typename Thing>
using Owned = std::unique_ptr<Thing, OpenSslFreer>;

// Reads `text`, which has to stay.
inline Owned<BIO> BioOf(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Nobody is there to type a password.
inline int NoPassword(char*, int, int, void*) { return 0; }

// Null where there is none, or no more; OpenSSL's queue of errors tells which.
inline Owned<X509> NextCertificate(BIO* bio) {
  return Owned<X509>(PEM_read_bio_X509(bio, nullptr, NoPassword, nullptr));
}
inline Owned<EVP_PKEY> PrivateKeyOf(const std::string& text) {
  return Owned<EVP_PKEY>(PEM_read_bio_PrivateKey(BioOf(text).get(), nullptr, NoPassword, nullptr));
}

}  // namespace kith::auth
