#include "server/retrieval/factory.h"

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/status.h"

namespace kith::retrieval {
namespace {

constexpr size_t kMaxFactoryBytes = 256;

// Reads one factory string; `dimension` changes with each transform.
class FactoryReader {
 public:
  FactoryReader(std::string_view factory, Metric metric, int dimension)
      : factory_(factory), metric_(metric), dimension_(dimension), tokens_(absl::StrSplit(factory_, ',')) {}

  absl::StatusOr<FactoryShape> Read() {
    while (ReadTransform()) {
    }
    if (status_.ok()) ReadStorage();
    if (status_.ok() && HasToken()) ReadRefinement();
    if (status_.ok() && HasToken()) Fail(absl::StrCat("'", Token(), "' is not expected after what stands before it"));
    if (!status_.ok()) return status_;
    return shape_;
  }

 private:
  bool HasToken() const { return next_ < tokens_.size(); }
  const std::string& Token() const { return tokens_[next_]; }

  // Whether the next token has this form; if so, takes it and leaves its numbers in number(0), number(1)...
  bool Take(const char* pattern) {
    if (!HasToken() || !std::regex_match(Token(), match_, std::regex(pattern))) return false;
    taken_ = Token();
    std::regex_match(taken_, match_, std::regex(pattern));
    ++next_;
    return true;
  }
  bool Matched(size_t group) const { return match_[group].matched && match_[group].length() > 0; }

  // The number in a group, checked against its range. -1 after a failure.
  int64_t Number(size_t group, const char* what, int64_t least, int64_t most) {
    int64_t value = 0;
    if (!absl::SimpleAtoi(match_[group].str(), &value) || value < least || value > most) {
      Fail(absl::StrCat("'", taken_, "': ", what, " must be ", least, " to ", most));
      return -1;
    }
    return value;
  }

  void Fail(const std::string& why) {
    if (status_.ok()) status_ = Error(Reason::kBadParameter, absl::StrCat("recipe.factory '", factory_, "': ", why));
  }

  void NeedRows(int64_t rows) { shape_.rows_needed = std::max(shape_.rows_needed, rows); }

  // A product quantiser of m parts of `bits` bits each.
  void CheckProductQuantizer(int64_t m, int64_t bits) {
    if (!status_.ok()) return;
    if (dimension_ % m != 0) {
      Fail(absl::StrCat("'", taken_, "': ", m, " parts do not divide ", dimension_, " dimensions"));
    }
    NeedRows(int64_t{1} << bits);
  }

  bool ReadTransform() {
    if (!status_.ok()) return false;
    if (Take("OPQ([0-9]+)(?:_([0-9]+))?")) {
      const int64_t m = Number(1, "the number of parts", 1, dimension_);
      const int64_t d = Matched(2) ? Number(2, "the dimension left", 1, dimension_) : dimension_;
      if (!status_.ok()) return false;
      dimension_ = static_cast<int>(d);
      CheckProductQuantizer(m, 8);
    } else if (Take("PCAR?([0-9]+)") || Take("RR([0-9]+)")) {
      const int64_t d = Number(1, "the dimension left", 1, dimension_);
      if (taken_[0] == 'P') NeedRows(d);
      dimension_ = static_cast<int>(d);
    } else if (!Take("L2norm")) {
      return false;
    }
    return status_.ok();
  }

  void ReadStorage() {
    if (Take("IVF([0-9]+)(?:_HNSW([0-9]*))?")) {
      NeedRows(Number(1, "the number of lists", 1, int64_t{1} << 30));
      if (Matched(2)) CheckHnsw(2);
      ReadListCode();
    } else if (Take("IMI2x([0-9]+)")) {
      const int64_t bits = Number(1, "the bits of each half", 1, 8);
      if (metric_ != Metric::kL2) Fail("IMI works with the L2 metric only");
      if (dimension_ % 2 != 0) Fail("IMI2 needs an even dimension");
      if (status_.ok()) NeedRows(int64_t{1} << bits);
      ReadListCode();
    } else if (Take("HNSW([0-9]+)(?:_(SQ4|SQ6|SQ8|SQfp16)|_PQ([0-9]+)(?:np)?)?")) {
      CheckHnsw(1);
      if (Matched(3)) {
        if (metric_ != Metric::kL2) Fail("HNSW over PQ works with the L2 metric only");
        CheckProductQuantizer(Number(3, "the number of parts", 1, dimension_), 8);
      }
      if (HasToken() && Token() == "Flat" && taken_.find('_') == std::string::npos) ++next_;
    } else if (Take("LSHr?t?")) {
      if (metric_ != Metric::kL2) Fail("LSH works with the L2 metric only");
    } else if (!ReadCode()) {
      FailUnknown();
    }
  }

  void ReadListCode() {
    shape_.has_lists = true;
    if (!status_.ok()) return;
    if (!HasToken()) {
      Fail("lists need a code behind them, for example IVF100,Flat");
    } else if (!ReadCode()) {
      FailUnknown();
    }
  }

  void CheckHnsw(size_t group) { Number(group, "the links of a node", 2, 512); }

  // How a vector is stored. False where the token is none of these.
  bool ReadCode() {
    if (Take("Flat") || Take("SQ4|SQ6|SQ8|SQfp16")) return true;
    if (Take("PQ([0-9]+)x4fs(r?)")) {
      if (Matched(2) && !shape_.has_lists) Fail("'r' (by residual) needs lists in front, for example IVF100,PQ32x4fsr");
      CheckProductQuantizer(Number(1, "the number of parts", 1, dimension_), 4);
      return true;
    }
    if (Take("PQ([0-9]+)(?:x([0-9]+))?(?:np)?")) {
      const int64_t m = Number(1, "the number of parts", 1, dimension_);
      const int64_t bits = Matched(2) ? Number(2, "the bits of a part", 1, 8) : 8;
      CheckProductQuantizer(m, bits);
      return true;
    }
    return false;
  }

  void ReadRefinement() {
    if (Take("RFlat") || Take("Refine\\(Flat\\)")) return;
    Fail(absl::StrCat("'", Token(), "' cannot follow; only RFlat can"));
  }

  void FailUnknown() {
    Fail(HasToken() ? absl::StrCat("'", Token(),
                                   "' is not a form that is supported here; forms are Flat, IVFn,Flat, IVFn,SQ8, "
                                   "IVFn,PQm, IVFn,PQmx4fs,RFlat, HNSWm, LSH, IVFn_HNSWm,..., OPQm_d,..., PCAd,...; "
                                   "IDMap is left out, because ids are always given in order")
                    : "a code is missing at its end");
  }

  std::string factory_;
  Metric metric_;
  int dimension_;
  std::vector<std::string> tokens_;
  size_t next_ = 0;
  std::string taken_;
  std::smatch match_;
  FactoryShape shape_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<FactoryShape> CheckFactory(std::string_view factory, Metric metric, int64_t rows, int dimension) {
  if (factory.size() > kMaxFactoryBytes) {
    return Error(Reason::kBadParameter, absl::StrCat("recipe.factory: longer than ", kMaxFactoryBytes, " bytes"));
  }
  absl::StatusOr<FactoryShape> shape = FactoryReader(factory, metric, dimension).Read();
  if (shape.ok() && rows < shape->rows_needed) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("recipe.factory '", std::string(factory), "' needs at least ", shape->rows_needed,
                              " rows to train, and there are ", rows, "; give more frames, or use a named recipe"));
  }
  return shape;
}

}  // namespace kith::retrieval
