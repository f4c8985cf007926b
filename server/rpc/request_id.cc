#include "server/rpc/request_id.h"

#include <grpcpp/support/error_details.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "server/base/ids.h"

namespace kith::rpc {
namespace {

// Half of it tells servers and their starts apart, the other half counts.
std::string OwnId() {
  static const std::string& start = *new std::string(RandomId().substr(0, 8));
  static std::atomic<uint32_t> count{0};
  return absl::StrCat(start, absl::Hex(++count, absl::kZeroPad8));
}

}  // namespace

bool IsCallId(std::string_view id) {
  const auto is_visible = [](char c) { return c > ' ' && c < '\x7F'; };
  return !id.empty() && id.size() <= kMaxCallIdBytes && std::all_of(id.begin(), id.end(), is_visible);
}

std::string CallIdOf(const grpc::CallbackServerContext& call) {
  const auto found = call.client_metadata().find(kRequestIdKey);
  if (found != call.client_metadata().end()) {
    const std::string_view id(found->second.data(), found->second.size());
    if (IsCallId(id)) return std::string(id);
  }
  return OwnId();
}

void AddCallId(const std::string& id, google::rpc::Status* status) {
  google::rpc::RequestInfo info;
  info.set_request_id(id);
  status->add_details()->PackFrom(info);
}

grpc::Status WithCallId(const grpc::Status& status, const std::string& id) {
  if (status.ok()) return status;
  google::rpc::Status details;
  if (status.error_details().empty() || !details.ParseFromString(status.error_details())) {
    details.set_code(status.error_code());
    details.set_message(status.error_message());
  }
  AddCallId(id, &details);
  grpc::Status result;
  grpc::SetErrorDetails(details, &result);
  return result;
}

}  // namespace kith::rpc
