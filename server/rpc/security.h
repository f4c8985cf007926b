// Who gets in to the gRPC server.
#pragma once

#include "server/auth/pem.h"
#include "server/auth/tokens.h"

namespace kith::rpc {

enum class Openness {
  kOpen,   // without a token too
  kToken,  // with any token only, where calls need one
  kOff,
};

// What it points to outlives the server.
struct Security {
  const auth::Tokens* tokens = nullptr;  // null: calls need none
  Openness health = Openness::kOpen;     // never kOff
  Openness reflection = Openness::kOpen;
  const auth::PemFiles* tls = nullptr;  // null: plain text
};

}  // namespace kith::rpc
