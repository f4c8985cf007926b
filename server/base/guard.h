// Keeps exceptions inside a task or handler: one that leaves a thread's task ends the process, and one that leaves a
// handler reaches the client as UNIMPLEMENTED without a text.
#pragma once

#include <exception>
#include <new>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith {

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

}  // namespace kith
