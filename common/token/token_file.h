// The file of tokens that a server takes. One line a token:
//
//   ID SALT:HASH SCOPES PATTERNS [# COMMENT]
//   3f0c51d2a9b84e77 9a...:5d... read,write alice-*,demo # Alice's laptop
//
// Scopes and patterns have commas between them; in a pattern %, comma, #, spaces and control characters are
// percent-encoded. Empty lines and lines that begin with # are left alone. There is no secret in the file.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/token/scopes.h"
#include "common/token/token.h"

namespace kith::token {

struct Entry {
  std::string id;
  SecretHash hash;
  Scopes scopes;
  std::vector<std::string> patterns;  // of names of experiments, see Matches; one at least
  std::string comment;                // without line breaks
};

// INVALID_ARGUMENT that names the line: one that is none, an id that is there twice.
absl::StatusOr<std::vector<Entry>> ParseEntries(absl::string_view text);

// The line of an entry, with its end.
std::string EntryLine(const Entry& entry);

// What a file has; an error names it.
absl::StatusOr<std::vector<Entry>> ReadEntries(const std::string& path);

// Both replace the file at once, so that who reads it sees it before or after, and leave owner, mode and all other
// lines as they are. Several processes may do so at a time. Errors name the file.

// Makes the file where there is none, for its owner to read only.
absl::Status AddEntry(const std::string& path, const Entry& entry);
// NOT_FOUND where there is no such entry.
absl::Status RemoveEntry(const std::string& path, absl::string_view id);

}  // namespace kith::token
