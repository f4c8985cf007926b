// What the parts of Client share.
#pragma once

#include <algorithm>
#include <memory>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/parts.h"
#include "client/cpp/upload.h"

namespace kith {

class Client::Impl {
 public:
  explicit Impl(ClientOptions options_in)
      : options(std::move(options_in)),
        connection(std::make_shared<client::Connection>(options)),
        parts(payload()),
        uploads(payload()) {}

  // Bytes of numbers in one message: room is left for the rest of it.
  int64_t payload() const { return std::min<int64_t>(client::kMaxPayload, options.max_message_bytes / 4 * 3); }

  const ClientOptions options;
  const std::shared_ptr<client::Connection> connection;
  client::PartLimits parts;
  client::UploadLimit uploads;
};

}  // namespace kith
