// Who may make which call. docs/security.md has the same table, and a test holds them equal.
#pragma once

#include "common/token/scopes.h"
#include "server/auth/grant.h"
#include "server/telemetry/rpc_name.h"

namespace kith::rpc {

struct Access {
  token::Scope scope;
  auth::Subject subject;
};

Access AccessOf(telemetry::Rpc rpc);

}  // namespace kith::rpc
