#include "server/rpc/tls_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <mutex>
#include <string>

namespace kith::rpc {
namespace {

class TlsCredentials : public grpc::ServerCredentials {
 public:
  explicit TlsCredentials(const auth::PemFiles* files) : files_(files) {
    const bool from_clients = !files->Get()->client_ca.empty();
    credentials_ =
        grpc_ssl_server_credentials_create_with_options(grpc_ssl_server_credentials_create_options_using_config_fetcher(
            from_clients ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                         : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            &TlsCredentials::Fetch, this));
  }
  ~TlsCredentials() override { grpc_server_credentials_release(credentials_); }

  // Tokens are looked at by Kith's own calls.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // gRPC's question at the start and before each handshake.
  static grpc_ssl_certificate_config_reload_status Fetch(void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<TlsCredentials*>(self)->FetchNew(config);
  }

  grpc_ssl_certificate_config_reload_status FetchNew(grpc_ssl_server_certificate_config** config) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto pem = files_->Get();
    if (pem == given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair{pem->key.c_str(), pem->cert.c_str()};
    const char* const roots = pem->client_ca.empty() ? nullptr : pem->client_ca.c_str();
    *config = grpc_ssl_server_certificate_config_create(roots, &pair, 1);
    if (*config == nullptr) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
    given_ = pem;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const auth::PemFiles* const files_;
  grpc_server_credentials* credentials_;
  std::mutex mutex_;
  std::shared_ptr<const auth::Pem> given_;  // guarded by mutex_: what gRPC had last
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(const auth::PemFiles* files) {
  return std::make_shared<TlsCredentials>(files);
}

}  // namespace kith::rpc
