// Keeps exceptions inside a handler: one that leaves it reaches the client as UNIMPLEMENTED without a text.
#pragma once

#include <exception>
#include <new>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::rpc {

// Runs `body`, which returns an absl::Status.
template <typename Body>
absl::Status Guarded(Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  } catch (const std::exception& exception) {
    return Error(Reason::kInternal, absl::StrCat("a fault of the server: ", exception.what()));
  }
}

}  // namespace kith::rpc
