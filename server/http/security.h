// Who gets to see the pages, and how.
#pragma once

#include "server/auth/pem.h"
#include "server/auth/tokens.h"

namespace kith::http {

// What it points to outlives the server.
struct Security {
  const auth::Tokens* tokens = nullptr;  // what is not for everyone needs one of them; null: nothing does
  const auth::PemFiles* tls = nullptr;   // null: plain text
};

}  // namespace kith::http
