// The files that a client's TlsOptions name.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/cpp/client.h"

namespace kith::client {

// Texts in PEM; empty where no file is named.
struct TlsFiles {
  std::string ca;
  std::string cert;
  std::string key;
};

// Reads and checks them, so that gRPC has nothing to complain of, which it does in its log only: INVALID_ARGUMENT and
// the like, with the file.
absl::StatusOr<TlsFiles> ReadTlsFiles(const TlsOptions& tls);

// The text of a file.
absl::StatusOr<std::string> ReadText(const std::string& path);

}  // namespace kith::client
