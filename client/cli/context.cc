#include "client/cli/context.h"

#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/cpp/error.h"

namespace kith::cli {
namespace {

bool IsThisMachine(absl::string_view target) {
  if (absl::StartsWith(target, "unix:")) return true;
  absl::ConsumePrefix(&target, "kith://");
  return absl::StartsWith(target, "127.") || absl::StartsWith(target, "[::1]") ||
         target.substr(0, target.find(':')) == "localhost";
}

}  // namespace

ClientOptions Context::MakeClientOptions() {
  ClientOptions options;
  options.target = server;
  options.tls = tls;
  if (!token_file.empty()) {
    auto token = ReadTokenFile(token_file);
    if (!token.ok()) throw CLI::ValidationError("--token-file", std::string(token.status().message()));
    options.token = *std::move(token);
  }
  if (!options.token.empty() && !tls.enabled() && !IsThisMachine(server) && !std::exchange(warned, true)) {
    err << "kith: warning: the token goes to " << server
        << " in plain text, for everyone between to read; use TLS (--tls-ca)" << std::endl;
  }
  return options;
}

CallOptions Context::MakeCallOptions() {
  CallOptions call;
  if (timeout_seconds > 0) call.timeout = absl::Seconds(timeout_seconds);
  call.request_id = request_id;
  call.cancellation = &cancellation;
  return call;
}

int Fail(Context& context, const absl::Status& status) {
  if (context.interrupted()) {
    context.err << "kith: interrupted" << std::endl;
    return kFailed;
  }
  context.err << "kith: " << status.message();
  if (const std::string id = ErrorRequestId(status); !id.empty()) context.err << " (request " << id << ")";
  context.err << std::endl;
  return IsNotReached(status) ? kNotReached : kFailed;
}

void PrintReport(std::ostream& stream, bool json, const Json& report, const std::string& text) {
  if (json) {
    stream << report.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  } else {
    stream << text << std::flush;
  }
}

}  // namespace kith::cli
