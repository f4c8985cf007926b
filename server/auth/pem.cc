#include "server/auth/pem.h"

#include <openssl/err.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/auth/openssl.h"
#include "server/base/status.h"

namespace kith::auth {
namespace {

absl::Status Bad(absl::string_view key, const std::string& path, absl::string_view what) {
  ERR_clear_error();
  return Error(Reason::kBadParameter, absl::StrCat(key, ": ", path, ": ", what));
}

absl::StatusOr<std::string> ReadText(absl::string_view key, const std::string& path) {
  std::ifstream file(path);
  if (!file.is_open()) return Bad(key, path, absl::StrCat("cannot be opened: ", std::strerror(errno)));
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return Bad(key, path, "cannot be read");
  return text.str();
}

// All of a file; not one of them may be damaged.
absl::StatusOr<std::vector<Owned<X509>>> CertificatesOf(absl::string_view key, const std::string& path,
                                                        const std::string& text) {
  std::vector<Owned<X509>> certificates;
  const Owned<BIO> bio = BioOf(text);
  while (Owned<X509> next = NextCertificate(bio.get())) certificates.push_back(std::move(next));
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certificates.empty()) return Bad(key, path, "there is no certificate in PEM in it");
  if (!at_end) return Bad(key, path, "a certificate in it is damaged");
  return certificates;
}

std::string TimeText(const ASN1_TIME* time) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(bio.get(), time);
  char text[64] = {};
  BIO_read(bio.get(), text, sizeof(text) - 1);
  return text;
}

}  // namespace

absl::StatusOr<Pem> ReadPem(const config::Tls& files) {
  Pem pem;
  auto cert = ReadText("tls.cert", files.cert);
  if (!cert.ok()) return cert.status();
  pem.cert = *std::move(cert);
  const auto chain = CertificatesOf("tls.cert", files.cert, pem.cert);
  if (!chain.ok()) return chain.status();

  auto key = ReadText("tls.key", files.key);
  if (!key.ok()) return key.status();
  pem.key = *std::move(key);
  const Owned<EVP_PKEY> private_key = PrivateKeyOf(pem.key);
  if (private_key == nullptr)
    return Bad("tls.key", files.key, "there is no private key in PEM, without a password, in it");
  if (X509_check_private_key(chain->front().get(), private_key.get()) != 1) {
    return Bad("tls.key", files.key, absl::StrCat("is not the key of the certificate in ", files.cert));
  }
  if (!files.client_ca.empty()) {
    auto authorities = ReadText("tls.client_ca", files.client_ca);
    if (!authorities.ok()) return authorities.status();
    pem.client_ca = *std::move(authorities);
    const auto all = CertificatesOf("tls.client_ca", files.client_ca, pem.client_ca);
    if (!all.ok()) return all.status();
  }
  auto context = MakeSslContext(pem.cert, pem.key, pem.client_ca);
  if (!context.ok()) {
    return Bad("tls.cert", files.cert, absl::StrCat("OpenSSL does not serve with it: ", context.status().message()));
  }
  pem.context = *std::move(context);
  const ASN1_TIME* const not_after = X509_get0_notAfter(chain->front().get());
  pem.not_after = TimeText(not_after);
  pem.expired = X509_cmp_current_time(not_after) < 0;
  return pem;
}

absl::StatusOr<std::unique_ptr<PemFiles>> PemFiles::Open(const config::Tls& files) {
  std::unique_ptr<PemFiles> opened(new PemFiles(files));
  if (absl::Status status = opened->Reload(); !status.ok()) return status;
  return opened;
}

std::shared_ptr<const Pem> PemFiles::Get() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return pem_;
}

absl::Status PemFiles::Reload() {
  auto pem = ReadPem(files_);
  if (!pem.ok()) return pem.status();
  const std::lock_guard<std::mutex> lock(mutex_);
  pem_ = std::make_shared<const Pem>(*std::move(pem));
  return absl::OkStatus();
}

}  // namespace kith::auth
