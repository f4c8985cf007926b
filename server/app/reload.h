// Reading the configuration again while kithd serves.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "server/config/config.h"

namespace kith::app {

// Used by one thread.
class Reload {
 public:
  // What was in force, and what is now.
  using Apply = std::function<void(const config::Config& before, const config::Config& now)>;

  // `running` was read from `file` with `overrides` on top. `apply` is to take on those live keys (config/changes.h)
  // that differ.
  Reload(std::string file, config::Overrides overrides, config::Config running, Apply apply)
      : file_(std::move(file)),
        overrides_(std::move(overrides)),
        running_(std::move(running)),
        apply_(std::move(apply)) {}

  // Whether there is a file to read.
  bool possible() const { return !file_.empty(); }

  // Reads the file again, applies what can change, and logs each key that has changed, with what became of it. A file
  // that is wrong changes nothing, and the log says why.
  void Run();

  // The values that are in force.
  const config::Config& running() const { return running_; }

 private:
  const std::string file_;
  const config::Overrides overrides_;
  config::Config running_;
  const Apply apply_;
};

}  // namespace kith::app
