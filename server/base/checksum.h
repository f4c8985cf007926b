// SHA-256, as sha256sum and Python's hashlib give it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace kith {

// Takes bytes piece by piece. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(const void* data, size_t size);

  // The digest of all bytes so far in lower-case hex, 64 characters. The object is spent afterwards.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kith
