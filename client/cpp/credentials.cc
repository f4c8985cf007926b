#include "client/cpp/credentials.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace kith {
namespace {

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream file(path);
  if (!file.is_open()) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be opened"));
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return absl::DataLossError(absl::StrCat(path, ": cannot be read"));
  return text.str();
}

// The text of a PEM file that has what is looked for.
absl::StatusOr<std::string> ReadPem(const std::string& path, absl::string_view what, absl::string_view mark) {
  auto text = ReadText(path);
  if (!text.ok()) return text;
  if (!absl::StrContains(*text, mark)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": there is no ", what, " in PEM in it"));
  }
  return text;
}

// What may stand in a gRPC metadata value; it ends the process on anything else.
bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
}

}  // namespace

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  const auto text = ReadText(path);
  if (!text.ok()) return text.status();
  std::string token(absl::StripAsciiWhitespace(text->substr(0, text->find('\n'))));
  if (!IsToken(token)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": there is no token in its first line; it takes what kith token create prints"));
  }
  return token;
}

namespace client {

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const ClientOptions& options) {
  if (!options.token.empty() && !IsToken(options.token)) {
    return absl::InvalidArgumentError("the token has characters that no token has; give what kith token create prints");
  }
  const TlsOptions& tls = options.tls;
  if (!tls.enabled()) return grpc::InsecureChannelCredentials();
  if (tls.cert.empty() != tls.key.empty()) {
    return absl::InvalidArgumentError("the client's certificate and its key are a pair: give tls_cert and tls_key");
  }
  grpc::SslCredentialsOptions pem;  // without roots gRPC takes the machine's
  if (!tls.ca.empty() && tls.ca != TlsOptions::kSystemCa) {
    auto roots = ReadPem(tls.ca, "certificate", "-----BEGIN CERTIFICATE-----");
    if (!roots.ok()) return roots.status();
    pem.pem_root_certs = *std::move(roots);
  }
  if (!tls.cert.empty()) {
    auto cert = ReadPem(tls.cert, "certificate", "-----BEGIN CERTIFICATE-----");
    if (!cert.ok()) return cert.status();
    auto key = ReadPem(tls.key, "private key", "PRIVATE KEY-----");
    if (!key.ok()) return key.status();
    pem.pem_cert_chain = *std::move(cert);
    pem.pem_private_key = *std::move(key);
  }
  return grpc::SslCredentials(pem);
}

}  // namespace client
}  // namespace kith
