// Holds the table of rooms in docs/architecture.md true: which room may include which, and which libraries it may use.
//
// The compiler cannot: every room's headers are found from the project's top, and Debian puts every library's headers
// in one folder.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kith::house {

// One row of the table. An entry that ends in '/' stands for everything below it.
struct Room {
  std::vector<std::string> rooms;      // other rooms: "server/base"
  std::vector<std::string> libraries;  // of other people: "faiss/", "sqlite3.h"
};

// By the room's folder.
using Rooms = std::map<std::string, Room>;

// Reads the rows `| `room` | purpose | `room`, ... | `library`, ... |` of a page. Lines that are no such row are
// skipped.
Rooms ReadRooms(const std::filesystem::path& page);

// What breaks the rule in the C++ files below `top`/server, common and client, sorted: "file:line: what, and what the
// room may include". An #include is in order where it names
//   - a header of its own room, or of a room in its row;
//   - a library of its row, or one that no row names and that is a part of the system: <vector>, <unistd.h>,
//   <sys/stat.h>.
std::vector<std::string> CheckIncludes(const std::filesystem::path& top, const Rooms& rooms);

}  // namespace kith::house
