#include "client/cpp/tls_files.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace kith::client {
namespace {

struct Freer {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* cert) const { X509_free(cert); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <typename Thing>
using Owned = std::unique_ptr<Thing, Freer>;

// Nobody is there to type a password.
int NoPassword(char*, int, int, void*) { return 0; }

Owned<BIO> BioOf(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

absl::Status Bad(const std::string& path, absl::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

// The first one of a file of certificates.
absl::StatusOr<Owned<X509>> CertificateOf(const std::string& path, const std::string& text) {
  Owned<X509> first(PEM_read_bio_X509(BioOf(text).get(), nullptr, NoPassword, nullptr));
  if (first == nullptr) return Bad(path, "there is no certificate in PEM in it");
  return first;
}

absl::StatusOr<Owned<EVP_PKEY>> KeyOf(const std::string& path, const std::string& text) {
  Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(BioOf(text).get(), nullptr, NoPassword, nullptr));
  if (key == nullptr) return Bad(path, "there is no private key in PEM, without a password, in it");
  return key;
}

absl::Status ReadPair(const TlsOptions& tls, TlsFiles* files) {
  if (tls.cert.empty() || tls.key.empty()) {
    return absl::InvalidArgumentError("the client's certificate and its key are a pair: give tls_cert and tls_key");
  }
  auto cert_text = ReadText(tls.cert);
  if (!cert_text.ok()) return cert_text.status();
  const auto cert = CertificateOf(tls.cert, *cert_text);
  if (!cert.ok()) return cert.status();
  auto key_text = ReadText(tls.key);
  if (!key_text.ok()) return key_text.status();
  const auto key = KeyOf(tls.key, *key_text);
  if (!key.ok()) return key.status();
  if (X509_check_private_key(cert->get(), key->get()) != 1) {
    return Bad(tls.key, absl::StrCat("is not the key of the certificate in ", tls.cert));
  }
  files->cert = *std::move(cert_text);
  files->key = *std::move(key_text);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream file(path);
  if (!file.is_open()) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be opened"));
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return absl::DataLossError(absl::StrCat(path, ": cannot be read"));
  return text.str();
}

absl::StatusOr<TlsFiles> ReadTlsFiles(const TlsOptions& tls) {
  TlsFiles files;
  if (!tls.ca.empty() && tls.ca != TlsOptions::kSystemCa) {
    auto text = ReadText(tls.ca);
    if (!text.ok()) return text.status();
    if (const auto first = CertificateOf(tls.ca, *text); !first.ok()) return first.status();
    files.ca = *std::move(text);
  }
  if (!tls.cert.empty() || !tls.key.empty()) {
    if (absl::Status status = ReadPair(tls, &files); !status.ok()) return status;
  }
  return files;
}

}  // namespace kith::client
