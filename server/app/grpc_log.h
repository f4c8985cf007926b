// What gRPC has to say, in the server's own log.
#pragma once

namespace kith::app {

// Otherwise it writes lines of its own form to stderr, one for each client that fails to get in by TLS: these are for
// the level debug. To be called before gRPC is used.
void LogWhatGrpcSays();

}  // namespace kith::app
