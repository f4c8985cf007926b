// What every command runs with: the streams, the options that all share, and the way to an exit code.
#pragma once

#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "nlohmann/json.hpp"

namespace kith::cli {

enum ExitCode { kDone = 0, kFailed = 1, kWrongUsage = 2, kNotReached = 3 };

using Json = nlohmann::ordered_json;

struct Context {
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;
  int in_fd = 0;   // frames for `stream -`
  int out_fd = 1;  // and from it
  Cancellation& cancellation;

  // The options before or behind the command.
  std::string server = "127.0.0.1:50051";
  bool json = false;
  double timeout_seconds = 0;  // 0: none given
  std::string request_id = {};
  TlsOptions tls = {};
  std::string token_file = {};

  bool warned = false;  // of the token

  int exit_code = kDone;  // set by the command

  // Reads the token from its file. A file without a token, a server that is no HOST:PORT and files of TLS that are
  // none, or do not belong together, are a wrong usage (CLI::ValidationError), but only for those who call a server:
  // `kith token create` may be about to write the token. Warns on `err`, once, of a token that goes in plain text to
  // another machine.
  ClientOptions MakeClientOptions();
  CallOptions MakeCallOptions();
  bool interrupted() const { return cancellation.cancelled(); }
};

// "kith: MESSAGE" on stderr. The exit code: 3 where no server was reached, else 1.
int Fail(Context& context, const absl::Status& status);

// With --json the report as one line on `stream`, else `text`.
void PrintReport(std::ostream& stream, bool json, const Json& report, const std::string& text);

}  // namespace kith::cli
