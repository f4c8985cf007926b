#include "client/cpp/not_reached.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/target.h"

namespace kith::client {
namespace {

// Of a chain of causes, each behind a colon, the last.
absl::string_view LastCause(absl::string_view why) {
  return absl::StripAsciiWhitespace(why.substr(why.rfind(':') + 1));  // npos + 1 is 0
}

// What a server does that hears no TLS and wants it, or no certificate.
bool IsHungUp(absl::string_view cause) {
  for (const absl::string_view words : {"Socket closed", "Connection reset", "Broken pipe", "http1.x"}) {
    if (absl::StrContains(cause, words)) return true;
  }
  return false;
}

std::string AdviceByTls(absl::string_view cause) {
  if (IsHungUp(cause)) {
    return "does it want a certificate of its clients? Give --tls-cert and --tls-key (tls_cert, tls_key), by an "
           "authority that it knows";
  }
  if (absl::StrContains(cause, "wrong version number")) {
    return "it speaks no TLS: set tls.cert of kithd, or connect without --tls-ca (tls_ca)";
  }
  return "is kithd running there with tls.cert, and its certificate for this host and by an authority of --tls-ca "
         "(tls_ca)?";
}

std::string Advice(const std::string& target, absl::string_view cause) {
  if (IsHungUp(cause)) return "does it want TLS? Give --tls-ca (tls_ca)";
  if (IsThisMachine(target) && !absl::StartsWith(target, "unix:")) {
    return absl::StrCat("is kithd running there? Start it with: kithd --listen ", target);
  }
  return "is kithd running there, and does its 'listen' let other machines in?";
}

}  // namespace

absl::Status NotReached(const std::string& target, bool tls, absl::string_view why) {
  if (absl::StrContains(why, "DNS resolution failed")) {
    return absl::UnavailableError(
        absl::StrCat("cannot reach the server at ", target, ": its name does not resolve (", LastCause(why), ")"));
  }
  const absl::string_view cause = LastCause(why);
  return absl::UnavailableError(absl::StrCat("cannot reach the server at ", target, tls ? " by TLS (" : " (", cause,
                                             "); ", tls ? AdviceByTls(cause) : Advice(target, cause)));
}

}  // namespace kith::client
