// Keeps exceptions inside this room: faiss throws where the other rooms speak absl::Status.
#pragma once

#include <faiss/impl/FaissException.h>

#include <exception>
#include <new>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::retrieval {

// Runs `body`, which returns an absl::Status or nothing; an exception becomes INTERNAL, or MEMORY_BUDGET where there
// was no memory.
template <typename Body>
absl::Status Guarded(const char* what, Body&& body) {
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
      return absl::OkStatus();
    } else {
      return body();
    }
  } catch (const faiss::FaissException& exception) {
    return Error(Reason::kInternal, absl::StrCat(what, ": faiss: ", exception.what()));
  } catch (const std::bad_alloc&) {
    return Error(Reason::kMemoryBudget, absl::StrCat(what, ": there is not enough memory"));
  } catch (const std::exception& exception) {
    return Error(Reason::kInternal, absl::StrCat(what, ": ", exception.what()));
  }
}

}  // namespace kith::retrieval
