#include "client/cli/context.h"

#include <utility>

#include "CLI/CLI.hpp"
#include "client/cpp/error.h"
#include "client/cpp/target.h"
#include "client/cpp/tls_files.h"

namespace kith::cli {
namespace {

// What gRPC would find wrong only while it connects, and tell in words of its own.
void CheckConnection(const std::string& server, const TlsOptions& tls) {
  const auto check = [](const char* options, const absl::Status& status) {
    if (!status.ok()) throw CLI::ValidationError(options, std::string(status.message()));
  };
  check("--server", client::CheckTarget(server));
  if (tls.cert.empty() != tls.key.empty()) {
    throw CLI::ValidationError(tls.key.empty() ? "--tls-cert" : "--tls-key",
                               "a certificate and its key are a pair: give --tls-cert and --tls-key");
  }
  check("--tls-ca", client::ReadTlsFiles({tls.ca, "", ""}).status());
  check("--tls-cert, --tls-key", client::ReadTlsFiles({"", tls.cert, tls.key}).status());
}

}  // namespace

ClientOptions Context::MakeClientOptions() {
  CheckConnection(server, tls);
  ClientOptions options;
  options.target = server;
  options.tls = tls;
  if (!token_file.empty()) {
    auto token = ReadTokenFile(token_file);
    if (!token.ok()) throw CLI::ValidationError("--token-file", std::string(token.status().message()));
    options.token = *std::move(token);
  }
  if (!options.token.empty() && !tls.enabled() && !client::IsThisMachine(server) && !std::exchange(warned, true)) {
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
