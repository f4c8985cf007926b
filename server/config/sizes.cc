#include "server/config/sizes.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/status.h"

namespace kith::config {
namespace {

// SimpleAtoi would take a sign and spaces.
bool ParseDigits(absl::string_view text, int64_t* number) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit) && absl::SimpleAtoi(text, number);
}

}  // namespace

absl::StatusOr<int64_t> ParseBytes(absl::string_view text) {
  absl::string_view digits = text;
  int shift = 0;
  for (const auto& [unit, bits] :
       {std::pair("KiB", 10), std::pair("MiB", 20), std::pair("GiB", 30), std::pair("TiB", 40)}) {
    if (absl::ConsumeSuffix(&digits, unit)) {
      shift = bits;
      digits = absl::StripTrailingAsciiWhitespace(digits);
      break;
    }
  }
  int64_t number = 0;
  if (!ParseDigits(digits, &number) || number > std::numeric_limits<int64_t>::max() >> shift) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("'", text, "' is no number of bytes; write 1073741824, 1024MiB or 1GiB"));
  }
  return number << shift;
}

absl::StatusOr<Memory::Budget> ParseBudget(absl::string_view text) {
  Memory::Budget budget;
  absl::string_view digits = text;
  if (absl::ConsumeSuffix(&digits, "%")) {
    int64_t percent = 0;
    if (!ParseDigits(absl::StripTrailingAsciiWhitespace(digits), &percent) || percent < 1 || percent > 100) {
      return Error(Reason::kBadParameter, absl::StrCat("'", text, "' is not a percentage from 1% to 100%"));
    }
    budget.percent = static_cast<int>(percent);
    return budget;
  }
  const absl::StatusOr<int64_t> bytes = ParseBytes(text);
  if (!bytes.ok()) return Error(Reason::kBadParameter, absl::StrCat(bytes.status().message(), ", or a share as 70%"));
  if (*bytes < kLeastBudget) {
    return Error(Reason::kBadParameter, absl::StrCat("'", text, "' is below the least, ", kLeastBudget >> 20, "MiB"));
  }
  budget.bytes = *bytes;
  return budget;
}

}  // namespace kith::config
