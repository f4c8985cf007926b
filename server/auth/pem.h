// The server's PEM files.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/auth/ssl_context.h"
#include "server/config/config.h"

namespace kith::auth {

// What the files have, checked: certificates that can be read, a key that is that of the first of them, and that
// OpenSSL serves with.
struct Pem {
  std::string cert;
  std::string key;
  std::string client_ca;  // empty where clients need no certificate
  SslContext context;     // made of these
  std::string not_after;  // of the server's certificate, for people
  bool expired = false;
};

// BAD_PARAMETER that names the configuration's key and the file, never what is in it.
absl::StatusOr<Pem> ReadPem(const config::Tls& files);

// The latest that was good. Thread-safe.
class PemFiles {
 public:
  static absl::StatusOr<std::unique_ptr<PemFiles>> Open(const config::Tls& files);

  std::shared_ptr<const Pem> Get() const;

  // Reads the files again. Where that fails all is as it was.
  absl::Status Reload();

 private:
  explicit PemFiles(config::Tls files) : files_(std::move(files)) {}

  const config::Tls files_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Pem> pem_;  // guarded by mutex_
};

}  // namespace kith::auth
