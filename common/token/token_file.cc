#include "common/token/token_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace kith::token {
namespace {

constexpr char kHeader[] =
    "# Tokens of a Kith server (kith token create, list, revoke): id, salted hash, scopes, experiments.\n";
constexpr mode_t kOwnerOnly = 0600;

// A file descriptor that is closed.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  // Whether that went well too.
  bool Close() { return close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

absl::Status Failed(const std::string& path, absl::string_view what) {
  return absl::ErrnoToStatus(errno, absl::StrCat(path, ": ", what));
}

std::string Encoded(absl::string_view pattern) {
  std::string text;
  for (const char c : pattern) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte > ' ' && byte != 0x7F && c != '%' && c != ',' && c != '#';
    plain ? text.push_back(c) : absl::StrAppend(&text, "%", absl::BytesToHexString(absl::string_view(&c, 1)));
  }
  return text;
}

std::optional<std::string> Decoded(absl::string_view text) {
  std::string pattern;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      pattern.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size() || !absl::ascii_isxdigit(text[i + 1]) || !absl::ascii_isxdigit(text[i + 2])) {
      return std::nullopt;
    }
    pattern += absl::HexStringToBytes(text.substr(i + 1, 2));
    i += 2;
  }
  if (pattern.empty()) return std::nullopt;
  return pattern;
}

bool IsHex(absl::string_view text, size_t size) {
  return text.size() == size &&
         absl::c_all_of(text, [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

// Empty for a line without one.
absl::StatusOr<std::optional<Entry>> ParseLine(absl::string_view line) {
  const size_t hash_sign = line.find('#');
  const absl::string_view comment = hash_sign == absl::string_view::npos ? "" : line.substr(hash_sign + 1);
  const std::vector<absl::string_view> fields =
      absl::StrSplit(line.substr(0, hash_sign), absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (fields.empty()) return std::optional<Entry>();
  if (fields.size() != 4) return absl::InvalidArgumentError("not of the form ID SALT:HASH SCOPES PATTERNS");
  Entry entry;
  entry.id = std::string(fields[0]);
  const std::vector<std::string> hash = absl::StrSplit(fields[1], ':');
  if (!IsHex(entry.id, 16) || hash.size() != 2 || !IsHex(hash[0], 32) || !IsHex(hash[1], 64)) {
    return absl::InvalidArgumentError("the id or the hash is damaged");
  }
  entry.hash = {hash[0], hash[1]};
  const auto scopes = ParseScopes(fields[2]);
  if (!scopes.ok()) return scopes.status();
  entry.scopes = *scopes;
  for (const absl::string_view text : absl::StrSplit(fields[3], ',')) {
    auto pattern = Decoded(text);
    if (!pattern) return absl::InvalidArgumentError("a pattern is empty or has a % that is no percent-encoding");
    entry.patterns.push_back(*std::move(pattern));
  }
  entry.comment = std::string(absl::StripAsciiWhitespace(comment));
  return std::optional<Entry>(std::move(entry));
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return Failed(path, "cannot be opened");
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t got = read(file.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed(path, "cannot be read");
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
}

absl::Status WriteAll(int fd, absl::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return Failed(path, "cannot be written");
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

// As the file that it takes the place of, if there is one.
absl::Status TakeOwnerAndMode(int fd, const std::string& path) {
  struct stat before {};
  if (stat(path.c_str(), &before) != 0) {
    if (errno != ENOENT) return Failed(path, "cannot be looked at");
    return fchmod(fd, kOwnerOnly) == 0 ? absl::OkStatus() : Failed(path, "cannot be made its owner's only");
  }
  struct stat now {};
  if (fstat(fd, &now) != 0) return Failed(path, "cannot be looked at");
  const bool other_owner = now.st_uid != before.st_uid || now.st_gid != before.st_gid;
  if ((other_owner && fchown(fd, before.st_uid, before.st_gid) != 0) || fchmod(fd, before.st_mode & 07777) != 0) {
    return Failed(path, "cannot be written for its owner; run this as its owner or as root");
  }
  return absl::OkStatus();
}

absl::Status Replace(const std::string& path, const std::string& text) {
  std::string temporary = path + ".XXXXXX";
  Fd file(mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) return Failed(path, "its folder cannot be written to");
  absl::Status status = TakeOwnerAndMode(file.get(), path);
  if (status.ok()) status = WriteAll(file.get(), text, path);
  if (status.ok() && fsync(file.get()) != 0) status = Failed(path, "cannot be written");
  if (status.ok() && !file.Close()) status = Failed(path, "cannot be written");
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) status = Failed(path, "cannot be replaced");
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The file that a link stands for, so that the link stays.
std::string Resolved(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  return real == nullptr ? path : real.get();
}

// Replaces the text of the file by what `change` makes of it, with its folder locked meanwhile.
absl::Status Change(const std::string& path, const std::function<absl::StatusOr<std::string>(std::string)>& change) {
  const std::string file = Resolved(path);
  const Fd folder(open(FolderOf(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || flock(folder.get(), LOCK_EX) != 0) return Failed(path, "its folder cannot be opened");
  auto text = ReadText(file);
  if (absl::IsNotFound(text.status())) text = "";
  if (!text.ok()) return text.status();
  if (const auto entries = ParseEntries(*text); !entries.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":", entries.status().message()));
  }
  auto changed = change(*std::move(text));
  if (!changed.ok()) return changed.status();
  if (absl::Status status = Replace(file, *changed); !status.ok()) return status;
  // A token that is said to be revoked must not be back after a power cut.
  return fsync(folder.get()) == 0 ? absl::OkStatus() : Failed(path, "its folder cannot be written");
}

}  // namespace

absl::StatusOr<std::vector<Entry>> ParseEntries(absl::string_view text) {
  std::vector<Entry> entries;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    auto entry = ParseLine(line);
    if (!entry.ok()) return absl::InvalidArgumentError(absl::StrCat(number, ": ", entry.status().message()));
    if (!entry->has_value()) continue;
    if (absl::c_any_of(entries, [&](const Entry& other) { return other.id == (*entry)->id; })) {
      return absl::InvalidArgumentError(absl::StrCat(number, ": the id ", (*entry)->id, " a second time"));
    }
    entries.push_back(**std::move(entry));
  }
  return entries;
}

std::string EntryLine(const Entry& entry) {
  const std::string patterns = absl::StrJoin(
      entry.patterns, ",", [](std::string* out, const std::string& pattern) { *out += Encoded(pattern); });
  return absl::StrCat(entry.id, " ", entry.hash.salt, ":", entry.hash.hash, " ", ScopesText(entry.scopes), " ",
                      patterns, entry.comment.empty() ? "" : " # ", entry.comment, "\n");
}

absl::StatusOr<std::vector<Entry>> ReadEntries(const std::string& path) {
  const auto text = ReadText(path);
  if (!text.ok()) return text.status();
  auto entries = ParseEntries(*text);
  if (!entries.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ":", entries.status().message()));
  return entries;
}

absl::Status AddEntry(const std::string& path, const Entry& entry) {
  return Change(path, [&](std::string text) -> absl::StatusOr<std::string> {
    if (text.empty()) text = kHeader;
    if (text.back() != '\n') text.push_back('\n');
    return text + EntryLine(entry);
  });
}

absl::Status RemoveEntry(const std::string& path, absl::string_view id) {
  return Change(path, [&](const std::string& text) -> absl::StatusOr<std::string> {
    std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
    const auto is_it = [&](absl::string_view line) {
      const auto entry = ParseLine(line);
      return entry.ok() && entry->has_value() && (*entry)->id == id;
    };
    const auto kept = std::remove_if(lines.begin(), lines.end(), is_it);
    if (kept == lines.end()) return absl::NotFoundError(absl::StrCat(path, ": there is no token ", id, " in it"));
    lines.erase(kept, lines.end());
    return absl::StrJoin(lines, "\n");
  });
}

}  // namespace kith::token
