// What the server shows over HTTP: GET /metrics, /healthz, /readyz, and the status page at / with what it asks for.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/http/limits.h"
#include "server/http/security.h"

namespace kith::http {

// An answer in JSON.
struct JsonAnswer {
  int status = 200;
  std::string body;
};

// Called by the server's threads, several at once.
struct Pages {
  std::function<std::string()> metrics;  // in Prometheus' text format
  std::function<bool()> ready;           // whether calls are taken now
  // What the status page asks for at /api/<what>, with the query's parameters; nothing: there is no such thing.
  std::function<std::optional<JsonAnswer>(const std::string& what, const std::map<std::string, std::string>& query)>
      api;
};

// One request a connection. A client that is slow, or sends what is no request, costs one of a few threads for a short
// time (Limits).
class Server {
 public:
  // Listens on host (a name or an address, IPv6 without brackets) and port; 0 takes a free one. UNAVAILABLE where that
  // cannot be had.
  // All but /healthz and /readyz wants a token with the scope read or admin for all experiments, where
  // calls need tokens, and a certificate where clients need one.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const std::string& host, int port, Pages pages,
                                                       const Limits& limits = {}, const Security& security = {});
  // Ends what is under way.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;

 private:
  class Service;
  explicit Server(std::unique_ptr<Service> service);

  const std::unique_ptr<Service> service_;
};

}  // namespace kith::http
