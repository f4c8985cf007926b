#include "server/auth/pem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "server/base/status.h"
#include "tests/support/certificates.h"

namespace kith::auth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class PemTest : public ::testing::Test {
 protected:
  void ExpectBad(const config::Tls& files, const std::string& key, const std::string& path, const std::string& what) {
    const absl::Status status = ReadPem(files).status();
    EXPECT_EQ(ReasonOf(status), "BAD_PARAMETER");
    EXPECT_THAT(std::string(status.message()), AllOf(StartsWith(key + ": " + path + ": "), HasSubstr(what)));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("BEGIN")));
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::string path = made_.folder() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  testing::Certificates made_;
  const testing::Identity server_ = made_.Make("server");
  const config::Tls files_{server_.cert, server_.key, made_.ca()};
};

TEST_F(PemTest, TakesWhatBelongsTogether) {
  const auto pem = ReadPem(files_);
  ASSERT_TRUE(pem.ok()) << pem.status();
  EXPECT_THAT(pem->cert, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_THAT(pem->key, HasSubstr("PRIVATE KEY"));
  EXPECT_THAT(pem->client_ca, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_FALSE(pem->expired);
  EXPECT_TRUE(ReadPem({server_.cert, server_.key, ""})->client_ca.empty());
}

TEST_F(PemTest, SaysThatACertificateHasExpired) {
  const testing::Identity old = made_.Make("old", testing::Certificates::kExpired);
  const auto pem = ReadPem({old.cert, old.key, ""});
  ASSERT_TRUE(pem.ok()) << pem.status();
  EXPECT_TRUE(pem->expired);
}

TEST_F(PemTest, WhatOpenSslReadsButDoesNotServeWithIsWrongToo) {
  const testing::Identity weak = made_.Make("weak", testing::Certificates::kGood, 1024);
  ExpectBad({weak.cert, weak.key, ""}, "tls.cert", weak.cert, "key too small");
}

TEST_F(PemTest, NamesWhatIsWrong) {
  const std::string missing = made_.folder() + "/missing";
  const std::string text = Write("text", "hello");
  const std::string damaged = Write("damaged", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const testing::Identity other = made_.Make("other");
  ExpectBad({missing, server_.key, ""}, "tls.cert", missing, "No such file");
  ExpectBad({text, server_.key, ""}, "tls.cert", text, "no certificate");
  ExpectBad({damaged, server_.key, ""}, "tls.cert", damaged, "no certificate");
  ExpectBad({server_.key, server_.key, ""}, "tls.cert", server_.key, "no certificate");
  ExpectBad({server_.cert, missing, ""}, "tls.key", missing, "No such file");
  ExpectBad({server_.cert, server_.cert, ""}, "tls.key", server_.cert, "no private key");
  ExpectBad({server_.cert, other.key, ""}, "tls.key", other.key, "is not the key of the certificate");
  ExpectBad({server_.cert, server_.key, text}, "tls.client_ca", text, "no certificate");
  const std::string half = Write("half", made_.Read(made_.ca()) + made_.Read(damaged));
  ExpectBad({server_.cert, server_.key, half}, "tls.client_ca", half, "is damaged");
}

TEST_F(PemTest, WhatIsBadLeavesWhatWasThere) {
  const auto files = PemFiles::Open(files_);
  ASSERT_TRUE(files.ok()) << files.status();
  const auto before = (*files)->Get();
  const testing::Identity next = made_.Make("next");
  std::filesystem::copy_file(next.cert, server_.cert, std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE((*files)->Reload().ok()) << "the key is still that of the old certificate";
  EXPECT_EQ((*files)->Get(), before);
  std::filesystem::copy_file(next.key, server_.key, std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE((*files)->Reload().ok());
  EXPECT_EQ((*files)->Get()->key, made_.Read(next.key));
}

}  // namespace
}  // namespace kith::auth
