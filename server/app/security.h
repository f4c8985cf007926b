// What the configuration says of who gets in, made ready.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/auth/pem.h"
#include "server/auth/tokens.h"
#include "server/base/file_watch.h"
#include "server/config/config.h"
#include "server/http/security.h"
#include "server/rpc/security.h"

namespace kith::app {

class Security {
 public:
  // Reads the files, and again whenever they change, which the log tells. An error names the file and is one of the
  // configuration.
  static absl::StatusOr<std::unique_ptr<Security>> Open(const config::Config& config);

  // For as long as this is there.
  rpc::Security rpc() const;
  http::Security http() const { return {tokens_.get(), pem_.get()}; }

  // What is no error, but hardly meant; empty where there is nothing.
  std::string Warning(const config::Config& config) const;

  // Tells in the log who can reach the server and what they need.
  void Log(const config::Config& config) const;

 private:
  explicit Security(const config::Auth& auth) : auth_(auth) {}
  absl::Status OpenTokens(const std::string& path);
  absl::Status OpenPem(const config::Tls& files);

  const config::Auth auth_;
  std::unique_ptr<auth::Tokens> tokens_;
  std::unique_ptr<FileWatch> token_watch_;
  std::unique_ptr<auth::PemFiles> pem_;
  std::unique_ptr<FileWatch> pem_watch_;
};

}  // namespace kith::app
