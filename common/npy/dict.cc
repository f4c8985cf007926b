#include "common/npy/dict.h"

#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace kith::npy {
namespace {

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text), rest_(text) {}

  absl::StatusOr<HeaderDict> Parse() {
    if (!Take("{")) return Expected("'{'");
    while (!Take("}")) {
      if (absl::Status status = Item(); !status.ok()) return status;
      if (structured_) return HeaderDict{"[", false, {}};
      if (Take(",")) continue;
      if (!Take("}")) return Expected("',' or '}'");
      break;
    }
    SkipSpace();
    if (!rest_.empty()) return Expected("nothing more");
    if (!descr_) return absl::InvalidArgumentError("the key 'descr' is missing");
    if (!fortran_order_) return absl::InvalidArgumentError("the key 'fortran_order' is missing");
    if (!shape_) return absl::InvalidArgumentError("the key 'shape' is missing");
    return HeaderDict{*std::move(descr_), *fortran_order_, *std::move(shape_)};
  }

 private:
  absl::Status Item() {
    const std::optional<std::string> key = String();
    if (!key) return Expected("a key in quotes");
    if (!Take(":")) return Expected("':'");
    if (*key == "descr" && !descr_) {
      structured_ = Take("[");
      if (structured_) return absl::OkStatus();
      descr_ = String();
      return descr_ ? absl::OkStatus() : Expected("a dtype in quotes");
    }
    if (*key == "fortran_order" && !fortran_order_) {
      if (Take("True")) {
        fortran_order_ = true;
      } else if (Take("False")) {
        fortran_order_ = false;
      }
      return fortran_order_ ? absl::OkStatus() : Expected("True or False");
    }
    if (*key == "shape" && !shape_) return Shape();
    return Expected("each of the keys descr, fortran_order and shape once, and no other");
  }

  absl::Status Shape() {
    if (!Take("(")) return Expected("'('");
    shape_.emplace();
    while (!Take(")")) {
      const std::optional<int64_t> length = Integer();
      if (!length) return Expected("a whole number below 2^63");
      shape_->push_back(*length);
      if (Take(",")) continue;
      if (!Take(")")) return Expected("',' or ')'");
      break;
    }
    return absl::OkStatus();
  }

  std::optional<std::string> String() {
    SkipSpace();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) return std::nullopt;
    const size_t end = rest_.find(rest_[0], 1);
    if (end == absl::string_view::npos) return std::nullopt;
    std::string value(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return value;
  }

  std::optional<int64_t> Integer() {
    const int sign = Take("-") ? -1 : 1;
    SkipSpace();
    if (rest_.empty() || !absl::ascii_isdigit(rest_[0])) return std::nullopt;
    int64_t value = 0;
    for (; !rest_.empty() && absl::ascii_isdigit(rest_[0]); rest_.remove_prefix(1)) {
      const int digit = rest_[0] - '0';
      if (value > (std::numeric_limits<int64_t>::max() - digit) / 10) return std::nullopt;
      value = value * 10 + digit;
    }
    absl::ConsumePrefix(&rest_, "L");
    return sign * value;
  }

  bool Take(absl::string_view token) {
    SkipSpace();
    return absl::ConsumePrefix(&rest_, token);
  }

  void SkipSpace() { rest_ = absl::StripLeadingAsciiWhitespace(rest_); }

  absl::Status Expected(absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("at byte ", text_.size() - rest_.size(), " of the dict: ", what, " expected"));
  }

  const absl::string_view text_;
  absl::string_view rest_;
  bool structured_ = false;
  std::optional<std::string> descr_;
  std::optional<bool> fortran_order_;
  std::optional<std::vector<int64_t>> shape_;
};

}  // namespace

absl::StatusOr<HeaderDict> ParseHeaderDict(absl::string_view text) { return Parser(text).Parse(); }

}  // namespace kith::npy
