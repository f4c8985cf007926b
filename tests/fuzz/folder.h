// What the targets of stored data have in common: sound files, made once, and what the input changes in them.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

#include "server/base/ids.h"
#include "tests/fuzz/target.h"

namespace kith::fuzz {

// A folder in memory where there is such a place; gone with this.
class Folder {
 public:
  Folder()
      : path_((std::filesystem::exists("/dev/shm") ? std::filesystem::path("/dev/shm")
                                                   : std::filesystem::temp_directory_path()) /
              ("kith-fuzz-" + RandomId())) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string Path(const std::string& name) const { return (path_ / name).string(); }

 private:
  const std::filesystem::path path_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void WriteFile(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

// `to` is as `from` afterwards. libFuzzer's alarm, which it sets for slow inputs, may interrupt a copy.
inline void CopyFolder(const std::string& from, const std::string& to) {
  std::error_code error;
  do {
    std::filesystem::remove_all(to);
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive, error);
  } while (error == std::errc::interrupted);
  Require(!error, "copying " + from);
}

// One change: where (4 bytes, as the sound file is long), how (1 byte), how much (1 byte), and with what. Any input is
// one, so that what libFuzzer tries is never in vain.
inline void Change(Input* input, std::string* content) {
  const size_t at = input->Number(4) % (content->size() + 1);
  const uint8_t how = input->Byte();
  const size_t count = input->Byte();
  if (how % 8 == 6) {
    content->resize(at);
  } else if (how % 8 == 7) {
    content->insert(at, input->Bytes(count));
  } else {
    const std::string_view bytes = input->Bytes(count);
    content->replace(at, bytes.size(), bytes);
  }
}

}  // namespace kith::fuzz
