// The tokens that calls may come with.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/token/token_file.h"
#include "server/auth/grant.h"

namespace kith::auth {

// Thread-safe.
class Tokens {
 public:
  // From the file, see common/token/token_file.h; BAD_PARAMETER that names the file.
  static absl::StatusOr<std::unique_ptr<Tokens>> Open(const std::string& path);

  // Of "Bearer TOKEN", the value of the metadata `authorization`. UNAUTHENTICATED without saying whether there is a
  // token of that id, for which it takes as long as for one that is not. One hash.
  absl::StatusOr<std::shared_ptr<const Grant>> Find(absl::string_view authorization) const;

  // Reads the file again. Where that fails all is as it was. Otherwise the grants of tokens that are not there any
  // more, or are for something else now, are revoked, for calls too that were let in by them.
  absl::Status Reload();

  size_t size() const;

 private:
  struct Known {
    token::Entry entry;
    std::shared_ptr<const Grant> grant;
  };
  using Map = absl::flat_hash_map<std::string, Known>;

  Tokens(std::string path, token::SecretHash nobody) : path_(std::move(path)), nobody_(std::move(nobody)) {}
  std::shared_ptr<const Map> map() const;

  const std::string path_;
  const token::SecretHash nobody_;  // what a token of an unknown id is compared with
  mutable std::mutex mutex_;
  std::shared_ptr<const Map> map_;  // guarded by mutex_
};

}  // namespace kith::auth
