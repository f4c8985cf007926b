#include "client/cli/context.h"

#include "client/cpp/error.h"

namespace kith::cli {

ClientOptions Context::MakeClientOptions() const {
  ClientOptions options;
  options.target = server;
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
