// What the status page asks for, in JSON.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "server/app/observe.h"
#include "server/experiments/voice_maps.h"
#include "server/http/server.h"
#include "server/telemetry/metrics.h"

namespace kith::app {

struct ServerLabel {
  std::string version;
  std::string instruction_set;
  int search_threads = 0;
};

// Thread-safe.
class StatusPage {
 public:
  // `observer` and `metrics` outlive this.
  StatusPage(Observer* observer, const telemetry::Metrics* metrics, ServerLabel label)
      : observer_(observer), metrics_(metrics), label_(std::move(label)), maps_(observer->observed().registry) {}

  // status                      how the server and its voices do; times are of the server's clock, in seconds
  // map?voice=NAME&known=TAG    {"state": "ready", "tag": ..., ...}, without points where that is known; or why there
  //                             is none: "making", "not_in_memory"
  // live?voice=NAME&after=N     the points of the blocks after number N
  std::optional<http::JsonAnswer> Answer(const std::string& what, const std::map<std::string, std::string>& query);

 private:
  http::JsonAnswer Status();
  http::JsonAnswer Map(const std::string& voice, const std::string& known);
  http::JsonAnswer Live(const std::string& voice, const std::string& after);

  Observer* const observer_;
  const telemetry::Metrics* const metrics_;
  const ServerLabel label_;
  experiments::VoiceMaps maps_;
};

}  // namespace kith::app
