#include "tests/support/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>

namespace kith::testing {
namespace {

using Key = std::shared_ptr<EVP_PKEY>;
using Cert = std::shared_ptr<X509>;

void Check(bool good) {
  if (!good) throw std::runtime_error("a certificate cannot be made");
}

Key NewKey(int rsa_bits = 0) {
  Key key(rsa_bits > 0 ? EVP_RSA_gen(rsa_bits) : EVP_EC_gen("P-256"), EVP_PKEY_free);
  Check(key != nullptr);
  return key;
}

void AddExtension(X509* cert, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  Check(extension != nullptr && X509_add_ext(cert, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

Cert NewCert(const std::string& name, EVP_PKEY* key, int64_t from_seconds, int64_t to_seconds) {
  Cert cert(X509_new(), X509_free);
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert.get()), std::random_device()());
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), to_seconds);
  X509_set_pubkey(cert.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return cert;
}

void Sign(X509* cert, X509* issuer, EVP_PKEY* key) {
  X509_set_issuer_name(cert, X509_get_subject_name(issuer));
  Check(X509_sign(cert, key, EVP_sha256()) > 0);
}

// Beside the file, then in its place, as one who changes certificates does it.
void Write(const std::string& path, const std::function<int(FILE*)>& write) {
  const std::string beside = path + ".new";
  FILE* const file = std::fopen(beside.c_str(), "wb");
  Check(file != nullptr && write(file) == 1 && std::fclose(file) == 0);
  std::filesystem::rename(beside, path);
}

constexpr int64_t kDay = 86400;

}  // namespace

struct Certificates::Authority {
  Key key = NewKey();
  Cert cert = NewCert("Kith's tests", key.get(), -30 * kDay, 30 * kDay);
};

Certificates::Certificates() : authority_(new Authority) {
  folder_ = (std::filesystem::temp_directory_path() / "kith-certificates-XXXXXX").string();
  Check(mkdtemp(folder_.data()) != nullptr);
  X509* const cert = authority_->cert.get();
  AddExtension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
  Sign(cert, cert, authority_->key.get());
  Write(ca(), [cert](FILE* file) { return PEM_write_X509(file, cert); });
}

Certificates::~Certificates() {
  delete authority_;
  std::filesystem::remove_all(folder_);
}

Identity Certificates::Make(const std::string& name, Validity validity, int rsa_bits) const {
  const Key key = NewKey(rsa_bits);
  const Cert cert = NewCert(name, key.get(), -10 * kDay, validity == kGood ? 10 * kDay : -kDay);
  X509* const issuer = authority_->cert.get();
  AddExtension(cert.get(), issuer, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  AddExtension(cert.get(), issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  Sign(cert.get(), issuer, authority_->key.get());
  Identity made{folder_ + "/" + name + ".cert.pem", folder_ + "/" + name + ".key.pem"};
  Write(made.key,
        [&](FILE* file) { return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  Write(made.cert, [&](FILE* file) { return PEM_write_X509(file, cert.get()); });
  return made;
}

std::string Certificates::Read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace kith::testing
