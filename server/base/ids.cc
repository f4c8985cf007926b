#include "server/base/ids.h"

#include <cstdint>
#include <random>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith {
namespace {

// The length of the UTF-8 sequence that starts `text`, 0 where it is none: overlong forms, surrogates and code points
// above U+10FFFF are none (RFC 3629).
size_t Utf8SequenceLength(std::string_view text, uint32_t* code_point) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 0;
  if (length == 0 || length > text.size()) return 0;
  static constexpr uint8_t kLeadMask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  static constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  uint32_t value = lead & kLeadMask[length];
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    value = value << 6 | (byte(i) & 0x3F);
  }
  if (value < kSmallest[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return 0;
  *code_point = value;
  return length;
}

}  // namespace

absl::Status CheckExperimentName(std::string_view name) {
  if (name.empty()) return Error(Reason::kBadParameter, "experiment: a name is missing; give 1 to 128 bytes of UTF-8");
  if (name.size() > kMaxNameBytes) {
    return Error(Reason::kBadParameter, absl::StrCat("experiment: the name has ", name.size(), " bytes; at most ",
                                                     kMaxNameBytes, " are allowed"));
  }
  for (std::string_view rest = name; !rest.empty();) {
    uint32_t code_point = 0;
    const size_t length = Utf8SequenceLength(rest, &code_point);
    if (length == 0) return Error(Reason::kBadParameter, "experiment: the name is not valid UTF-8");
    if (code_point == '/') return Error(Reason::kBadParameter, "experiment: the name has a '/'; leave it out");
    if (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0)) {
      return Error(Reason::kBadParameter, "experiment: the name has a control character; leave it out");
    }
    rest.remove_prefix(length);
  }
  return absl::OkStatus();
}

std::string RandomId() {
  thread_local std::random_device device;
  std::string id;
  for (int i = 0; i < 4; ++i) absl::StrAppend(&id, absl::Hex(device(), absl::kZeroPad8));
  return id;
}

}  // namespace kith
