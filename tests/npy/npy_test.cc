#include "common/npy/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/npy/bytes.h"

namespace kith::npy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kDict2x3[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
const std::string kBody2x3 = BytesOf<float>({1, 2, 3, 4, 5, 6});

void ExpectMatrix2x3(const absl::StatusOr<Matrix>& matrix) {
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_EQ(matrix->rows, 2);
  EXPECT_EQ(matrix->columns, 3);
  EXPECT_THAT(matrix->values, ElementsAre(1, 2, 3, 4, 5, 6));
}

void ExpectBad(const std::string& bytes, const std::string& message) {
  const absl::StatusOr<Matrix> matrix = ParseMatrix(bytes);
  EXPECT_EQ(matrix.status().code(), absl::StatusCode::kInvalidArgument) << matrix.status();
  EXPECT_THAT(std::string(matrix.status().message()), HasSubstr(message));
}

std::string DictOf(absl::string_view descr, absl::string_view shape) {
  return absl::StrCat("{'descr': ", descr, ", 'fortran_order': False, 'shape': ", shape, ", }");
}

// A folder of its own for every test, removed afterwards.
class NpyFile : public ::testing::Test {
 protected:
  NpyFile() { std::filesystem::create_directories(folder_); }
  ~NpyFile() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ / name; }
  void Put(const std::string& name, const std::string& bytes) const { std::ofstream(Path(name)) << bytes; }
  std::string Get(const std::string& name) const {
    std::ostringstream bytes;
    bytes << std::ifstream(Path(name)).rdbuf();
    return bytes.str();
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) names.push_back(entry.path().filename());
    return names;
  }

 private:
  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      absl::StrCat("kith-npy-", getpid(), "-", ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST(ParseMatrix, EveryFormatVersion) {
  for (const int version : {1, 2, 3}) ExpectMatrix2x3(ParseMatrix(FileOf(kDict2x3, kBody2x3, version)));
}

TEST(ParseMatrix, FortranOrder) {
  ExpectMatrix2x3(ParseMatrix(
      FileOf("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", BytesOf<float>({1, 4, 2, 5, 3, 6}))));
}

TEST(ParseMatrix, LeadingOne) {
  ExpectMatrix2x3(ParseMatrix(FileOf(DictOf("'<f4'", "(1, 2, 3)"), kBody2x3)));
  ExpectMatrix2x3(ParseMatrix(
      FileOf("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2, 3), }", BytesOf<float>({1, 4, 2, 5, 3, 6}))));
}

TEST(ParseMatrix, HalfPrecision) {
  const std::vector<uint16_t> halves = {0x3C00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600};
  ExpectMatrix2x3(ParseMatrix(FileOf(DictOf("'<f2'", "(2, 3)"), BytesOf(halves))));
}

TEST(ParseMatrix, AnyWayToWriteTheDict) {
  ExpectMatrix2x3(ParseMatrix(FileOf("{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}", kBody2x3)));
  ExpectMatrix2x3(
      ParseMatrix(FileOf(" { 'fortran_order' : False , 'shape' : ( 2 , 3 , ) , 'descr' : '<f4' , }      ", kBody2x3)));
  ExpectMatrix2x3(ParseMatrix(FileOf(DictOf("'<f4'", "(2L, 3L)"), kBody2x3)));
}

TEST(ParseMatrix, NoRows) {
  const absl::StatusOr<Matrix> matrix = ParseMatrix(FileOf(DictOf("'<f4'", "(0, 768)"), ""));
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_EQ(matrix->rows, 0);
  EXPECT_EQ(matrix->columns, 768);
  EXPECT_TRUE(matrix->values.empty());
}

TEST(ParseMatrix, IgnoresBytesBehindTheArrayAsNumpyDoes) {
  ExpectMatrix2x3(ParseMatrix(FileOf(kDict2x3, kBody2x3 + "more")));
}

TEST(ParseMatrix, OtherFormats) {
  ExpectBad("", "empty");
  ExpectBad("PK\x03\x04rest", "zip archive");
  ExpectBad("\x80\x04\x95rest", "pickle");
  ExpectBad("IwFlrest", "faiss index");
  ExpectBad("IxF2rest", "faiss index");
  ExpectBad("version https://git-lfs.github.com/spec/v1\n", "git lfs pull");
  ExpectBad("0.25 0.5 0.75\n", "not a .npy file");
}

TEST(ParseMatrix, TruncatedAnywhere) {
  const std::string file = FileOf(kDict2x3, kBody2x3);
  for (size_t size = 1; size < file.size(); ++size) ExpectBad(file.substr(0, size), "truncated");
}

TEST(ParseMatrix, FormatVersion) {
  ExpectBad(FileOf(kDict2x3, kBody2x3, 4), "version 4.0");
  std::string file = FileOf(kDict2x3, kBody2x3);
  file[7] = 1;
  ExpectBad(file, "version 1.1");
}

TEST(ParseMatrix, HeaderLength) {
  std::string beyond = FileOf(kDict2x3, kBody2x3, 2);
  for (int i = 8; i < 12; ++i) beyond[i] = '\xFF';
  ExpectBad(beyond, "truncated");
  const std::string long_dict = kDict2x3 + std::string(1 << 20, ' ');
  ExpectBad(FileOf(long_dict, kBody2x3, 2), "header of 1048636 bytes");
}

TEST(ParseMatrix, UnreadableDict) {
  const auto expect_bad = [](const std::string& dict, const std::string& message) {
    ExpectBad(FileOf(dict, kBody2x3), "unreadable .npy header");
    ExpectBad(FileOf(dict, kBody2x3), message);
  };
  expect_bad("", "'{' expected");
  expect_bad("{}", "'descr' is missing");
  expect_bad("{'descr': '<f4', 'shape': (2, 3)}", "'fortran_order' is missing");
  expect_bad("{'descr': '<f4', 'fortran_order': False}", "'shape' is missing");
  expect_bad("{'descr': '<f4' 'shape': (2, 3)}", "at byte 16");
  expect_bad("{'descr': '<f4', 'descr': '<f4'}", "each of the keys");
  expect_bad("{'dtype': '<f4'}", "each of the keys");
  expect_bad("{'descr': '<f4", "dtype in quotes");
  expect_bad("{'fortran_order': 0}", "True or False");
  expect_bad("{'shape': [2, 3]}", "'(' expected");
  expect_bad("{'shape': (2 3)}", "',' or ')'");
  expect_bad("{'shape': (2, x)}", "whole number");
  expect_bad("{'shape': (9223372036854775808, 3)}", "whole number");
  expect_bad(absl::StrCat(kDict2x3, "{"), "nothing more");
}

TEST(ParseMatrix, Dtype) {
  ExpectBad(FileOf(DictOf("'|O'", "(2, 3)"), kBody2x3), "dtype object");
  ExpectBad(FileOf(DictOf("'>f4'", "(2, 3)"), kBody2x3), "big-endian");
  ExpectBad(FileOf(DictOf("'<f8'", "(2, 3)"), kBody2x3), ".astype('float32')");
  ExpectBad(FileOf(DictOf("'<i8'", "(2, 3)"), kBody2x3), "'<i8'");
  ExpectBad(FileOf(DictOf("'a\nb\x01'", "(2, 3)"), kBody2x3), "'a\\nb\\x01'");
  ExpectBad(FileOf(DictOf("[('a', '<f4'), ('b', '<f4')]", "(2,)"), kBody2x3), "structured");
}

TEST(ParseMatrix, Shape) {
  ExpectBad(FileOf(DictOf("'<f4'", "()"), kBody2x3), "0 dimension(s)");
  ExpectBad(FileOf(DictOf("'<f4'", "(6,)"), kBody2x3), "1 dimension(s)");
  ExpectBad(FileOf(DictOf("'<f4'", "(1, 1, 2, 3)"), kBody2x3), "4 dimension(s)");
  ExpectBad(FileOf(DictOf("'<f4'", "(2, 1, 3)"), kBody2x3), "batch of 2");
  ExpectBad(FileOf(DictOf("'<f4'", "(0, 1, 3)"), kBody2x3), "batch of 0");
  ExpectBad(FileOf(DictOf("'<f4'", "(6, 0)"), kBody2x3), "no columns");
  ExpectBad(FileOf(DictOf("'<f4'", "(-2, 3)"), kBody2x3), "negative");
  ExpectBad(FileOf(DictOf("'<f4'", "(2, -3)"), kBody2x3), "negative");
}

TEST(ParseMatrix, ShapeFarBeyondTheFile) {
  ExpectBad(FileOf(DictOf("'<f4'", "(9223372036854775807, 3)"), kBody2x3), "truncated");
  ExpectBad(FileOf(DictOf("'<f4'", "(4611686018427387904, 4)"), kBody2x3), "truncated");
  ExpectBad(FileOf(DictOf("'<f4'", "(2, 9223372036854775807)"), kBody2x3), "too many columns");
  ExpectBad(FileOf(DictOf("'<f4'", "(2147483647, 2147483647)"), kBody2x3), "truncated");
}

// Written by numpy.save(..., np.zeros((149, 256), 'float32')).
TEST(Header, IsNumpys) {
  EXPECT_EQ(Header(Type::kFloat32, 149, 256), std::string("\x93NUMPY\x01\x00\x76\x00", 10) +
                                                  "{'descr': '<f4', 'fortran_order': False, 'shape': (149, 256), }" +
                                                  std::string(54, ' ') + "\n");
}

TEST(Header, HasOneLengthForEveryShape) {
  EXPECT_EQ(Header(Type::kFloat32, 0, 1).size(), kHeaderBytes);
  EXPECT_EQ(Header(Type::kInt64, INT64_MAX, INT64_MAX).size(), kHeaderBytes);
  EXPECT_EQ(Header(Type::kInt64, INT64_MAX, INT64_MAX).back(), '\n');
}

TEST_F(NpyFile, RoundTrip) {
  const std::vector<float> values = {0.5f, -0.0f, 1e-42f, 3e38f, -7, 8};
  ASSERT_TRUE(WriteMatrix(Path("a.npy"), values, 2, 3).ok());
  const absl::StatusOr<Matrix> matrix = ReadMatrix(Path("a.npy"));
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_EQ(matrix->rows, 2);
  EXPECT_EQ(matrix->columns, 3);
  EXPECT_EQ(BytesOf(matrix->values), BytesOf(values));
  EXPECT_THAT(Names(), ElementsAre("a.npy"));
}

TEST_F(NpyFile, ReadsWhatParseReads) {
  Put("a.npy", FileOf(kDict2x3, kBody2x3, 2));
  ExpectMatrix2x3(ReadMatrix(Path("a.npy")));
  Put("b.npy",
      FileOf("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", BytesOf<float>({1, 4, 2, 5, 3, 6})));
  ExpectMatrix2x3(ReadMatrix(Path("b.npy")));
}

TEST_F(NpyFile, WritesIds) {
  const std::vector<int64_t> ids = {3, -1, int64_t{1} << 40, 7};
  ASSERT_TRUE(WriteMatrix(Path("ids.npy"), ids, 2, 2).ok());
  EXPECT_EQ(Get("ids.npy"), Header(Type::kInt64, 2, 2) + BytesOf(ids));
  EXPECT_THAT(Header(Type::kInt64, 2, 2), HasSubstr("{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2), }"));
}

TEST_F(NpyFile, ReadErrorsNameThePath) {
  EXPECT_EQ(ReadMatrix(Path("none.npy")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(ReadMatrix(Path("none.npy")).status().message()), HasSubstr(Path("none.npy")));
  Put("short.npy", FileOf(kDict2x3, kBody2x3.substr(0, 20)));
  const absl::Status status = ReadMatrix(Path("short.npy")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(Path("short.npy")));
  EXPECT_THAT(std::string(status.message()), HasSubstr("only 20 bytes follow"));
}

TEST_F(NpyFile, ReadRefusesWhatIsNoPlainFile) {
  EXPECT_THAT(std::string(ReadMatrix(Path("")).status().message()), HasSubstr("is a folder"));
  EXPECT_THAT(std::string(ReadMatrix("/dev/zero").status().message()), HasSubstr("not a plain file"));
}

TEST_F(NpyFile, WriteRefusesAWrongShape) {
  const std::vector<float> values(6);
  for (const auto& [rows, columns] :
       std::vector<std::pair<int64_t, int64_t>>{{2, 4}, {-2, -3}, {0, 0}, {6, 0}, {int64_t{1} << 62, 6}}) {
    EXPECT_EQ(WriteMatrix(Path("a.npy"), values, rows, columns).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(Names().empty());
}

TEST_F(NpyFile, WriteRefusesFoldersAndDevices) {
  const std::vector<float> values(6);
  EXPECT_EQ(WriteMatrix(Path("missing/a.npy"), values, 2, 3).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(WriteMatrix(Path(""), values, 2, 3).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteMatrix("/dev/null", values, 2, 3).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(NpyFile, AFailedWriteLeavesTheOldFileAndNoOther) {
  Put("a.npy", "old");
  rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit small_limit = old_limit;
  small_limit.rlim_cur = 4096;
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small_limit), 0);
  const absl::Status status = WriteMatrix(Path("a.npy"), std::vector<float>(10000), 100, 100);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, SIG_DFL);

  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot be written"));
  EXPECT_EQ(Get("a.npy"), "old");
  EXPECT_THAT(Names(), ElementsAre("a.npy"));
}

}  // namespace
}  // namespace kith::npy
