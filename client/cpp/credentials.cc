#include "client/cpp/credentials.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/cpp/tls_files.h"

namespace kith {
namespace {

// What may stand in a gRPC metadata value; it ends the process on anything else.
bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
}

}  // namespace

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  const auto text = client::ReadText(path);
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
  auto files = ReadTlsFiles(tls);
  if (!files.ok()) return files.status();
  grpc::SslCredentialsOptions pem;  // without roots gRPC takes the machine's
  pem.pem_root_certs = std::move(files->ca);
  pem.pem_cert_chain = std::move(files->cert);
  pem.pem_private_key = std::move(files->key);
  return grpc::SslCredentials(pem);
}

}  // namespace client
}  // namespace kith
