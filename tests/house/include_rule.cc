#include "tests/house/include_rule.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <regex>
#include <set>
#include <string_view>

namespace kith::house {
namespace {

namespace fs = std::filesystem;

bool StartsWith(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

// Whether `header` is what `entry` stands for: that header, or one below that folder.
bool Covers(std::string_view entry, std::string_view header) {
  return entry.back() == '/' ? StartsWith(header, entry) : header == entry;
}

bool CoversAny(const std::vector<std::string>& entries, std::string_view header) {
  return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return Covers(entry, header); });
}

// The words of a table's cell that stand between backquotes.
std::vector<std::string> QuotedWords(const std::string& cell) {
  static const std::regex kWord("`([^`]+)`");
  std::vector<std::string> words;
  for (std::sregex_iterator it(cell.begin(), cell.end(), kWord), end; it != end; ++it) words.push_back((*it)[1]);
  return words;
}

// The room that a path from the top belongs to; empty where it is none's.
std::string RoomOf(const Rooms& rooms, std::string_view path) {
  for (const auto& [name, room] : rooms) {
    if (StartsWith(path, name + "/")) return name;
  }
  return "";
}

// Standard C++ headers have neither a dot nor a folder; the system's C headers are in no folder of a library.
bool IsSystemHeader(std::string_view header) {
  static const std::vector<std::string> kFolders = {"sys/", "linux/", "net/", "netinet/", "arpa/"};
  return header.find('/') == std::string_view::npos || CoversAny(kFolders, header);
}

std::string Join(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : ", ") + word;
  return joined.empty() ? "none" : joined;
}

class Checker {
 public:
  explicit Checker(const Rooms& rooms) : rooms_(rooms) {
    for (const auto& [name, room] : rooms) libraries_.insert(room.libraries.begin(), room.libraries.end());
  }

  // What is wrong with one #include of `header` in a file of `room`; nothing where it is in order.
  std::optional<std::string> Fault(const std::string& room, const std::string& header, bool quoted) const {
    const Room& row = rooms_.at(room);
    const std::string target = RoomOf(rooms_, header);
    if (target == room || CoversAny(row.libraries, header)) return std::nullopt;
    if (!target.empty()) {
      if (std::find(row.rooms.begin(), row.rooms.end(), target) != row.rooms.end()) return std::nullopt;
      return room + " may not include " + header + " (rooms that it may include: " + Join(row.rooms) + ")";
    }
    const bool named =
        std::any_of(libraries_.begin(), libraries_.end(), [&](const auto& l) { return Covers(l, header); });
    if (named || (!quoted && !IsSystemHeader(header))) {
      return room + " may not include " + header + " (libraries that it may include: " + Join(row.libraries) + ")";
    }
    if (quoted) return header + " is no header of a room: includes start at the project's top";
    return std::nullopt;
  }

 private:
  const Rooms& rooms_;
  std::set<std::string> libraries_;  // of any row
};

void CheckFile(const fs::path& top, const fs::path& file, const Rooms& rooms, const Checker& checker,
               std::vector<std::string>* faults) {
  static const std::regex kInclude(R"(\s*#\s*include\s*([<"])([^>"]+)[>"].*)");
  const std::string path = file.lexically_relative(top).generic_string();
  const std::string room = RoomOf(rooms, path);
  if (room.empty()) {
    faults->push_back(path + ":1: the file is in no room of docs/architecture.md");
    return;
  }
  std::ifstream stream(file);
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    std::smatch match;
    if (!std::regex_match(line, match, kInclude)) continue;
    const auto fault = checker.Fault(room, match[2], match[1] == "\"");
    if (fault) faults->push_back(path + ":" + std::to_string(number) + ": " + *fault);
  }
}

}  // namespace

Rooms ReadRooms(const fs::path& page) {
  static const std::regex kRow(R"(\|\s*`([^`]+)`\s*\|[^|]*\|([^|]*)\|([^|]*)\|\s*)");
  Rooms rooms;
  std::ifstream stream(page);
  std::string line;
  while (std::getline(stream, line)) {
    std::smatch match;
    if (std::regex_match(line, match, kRow)) rooms[match[1]] = {QuotedWords(match[2]), QuotedWords(match[3])};
  }
  return rooms;
}

std::vector<std::string> CheckIncludes(const fs::path& top, const Rooms& rooms) {
  static const std::set<std::string> kExtensions = {".cc", ".h"};
  const Checker checker(rooms);
  std::vector<std::string> faults;
  for (const char* folder : {"server", "common", "client"}) {
    if (!fs::exists(top / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(top / folder)) {
      if (kExtensions.count(entry.path().extension()) > 0) CheckFile(top, entry.path(), rooms, checker, &faults);
    }
  }
  std::sort(faults.begin(), faults.end());
  return faults;
}

}  // namespace kith::house
