#include "server/telemetry/log_format.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/token/token.h"
#include "server/telemetry/log.h"

namespace kith::telemetry {
namespace {

using Json = nlohmann::ordered_json;

std::string TimeOf(const spdlog::details::log_msg& entry) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(entry.time), absl::UTCTimeZone());
}

std::string MessageOf(const spdlog::details::log_msg& entry) { return {entry.payload.data(), entry.payload.size()}; }

std::string Dump(const Json& json, bool ascii) { return json.dump(-1, ' ', ascii, Json::error_handler_t::replace); }

// UTF-8 for a code point from U+0080 to U+FFFF.
std::string Utf8(int code_point) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x800) return {static_cast<char>(0xC0 | code_point >> 6), tail(0)};
  return {static_cast<char>(0xE0 | code_point >> 12), tail(6), tail(0)};
}

// What a JSON string leaves unescaped and a line of text must not hold; and quotes, which text may hold.
std::vector<std::pair<std::string, std::string>> TextReplacements() {
  std::vector<std::pair<std::string, std::string>> replacements = {
      {"\\\\", "\\\\"},  // kept, so that its second half does not count as the start of an escaped quote
      {"\\\"", "\""},
      {"\x7F", "\\u007f"},
  };
  const auto escape = [&](int first, int last) {
    for (int c = first; c <= last; ++c) replacements.emplace_back(Utf8(c), absl::StrFormat("\\u%04x", c));
  };
  escape(0x80, 0x9F);
  escape(0x200E, 0x200F);
  escape(0x2028, 0x202E);
  escape(0x2066, 0x2069);
  return replacements;
}

std::string RequestSuffix() {
  const absl::string_view id = LogsRequest::Current();
  return id.empty() ? "" : absl::StrCat(" request=", id);
}

std::string TextLine(const spdlog::details::log_msg& entry) {
  static const auto& replacements = *new std::vector<std::pair<std::string, std::string>>(TextReplacements());
  const std::string quoted = Dump(MessageOf(entry), false);
  return absl::StrCat(TimeOf(entry), " ", LevelName(entry.level), " ",
                      absl::StrReplaceAll(absl::string_view(quoted).substr(1, quoted.size() - 2), replacements),
                      RequestSuffix(), "\n");
}

std::string JsonLine(const spdlog::details::log_msg& entry) {
  Json json = {{"time", TimeOf(entry)}, {"level", LevelName(entry.level)}, {"message", MessageOf(entry)}};
  if (const absl::string_view id = LogsRequest::Current(); !id.empty()) json["request_id"] = std::string(id);
  return Dump(json, true) + "\n";
}

class Formatter : public spdlog::formatter {
 public:
  using Line = std::string (*)(const spdlog::details::log_msg&);
  explicit Formatter(Line line) : line_(line) {}

  void format(const spdlog::details::log_msg& entry, spdlog::memory_buf_t& out) override {
    // A client may put its token where a name or a request id belongs.
    const std::string line = token::WithoutSecrets(line_(entry));
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<Formatter>(line_); }

 private:
  const Line line_;
};

}  // namespace

std::string LevelName(spdlog::level::level_enum level) {
  if (level == spdlog::level::warn) return "warn";  // spdlog's own name for it is "warning"
  const auto name = spdlog::level::to_string_view(level);
  return std::string(name.data(), name.size());
}

std::unique_ptr<spdlog::formatter> TextFormatter() { return std::make_unique<Formatter>(TextLine); }
std::unique_ptr<spdlog::formatter> JsonFormatter() { return std::make_unique<Formatter>(JsonLine); }

}  // namespace kith::telemetry
