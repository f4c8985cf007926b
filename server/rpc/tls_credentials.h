// gRPC's server credentials over PEM files that may change while it serves.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "server/auth/pem.h"

namespace kith::rpc {

// Each new connection is by what `files` has then; those that are open stay. Clients need a certificate where the files
// name authorities for it. `files` has to outlive the credentials, and these the server.
//
// By gRPC's callback for certificates, which asks at each handshake and keeps the last that was good. Its own watcher
// of files (FileWatcherCertificateProvider) has no check of ours between a file and the handshakes: one that does not
// belong to the other would end them.
std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(const auth::PemFiles* files);

}  // namespace kith::rpc
