// The server's configuration: one YAML file, checked as a whole. config/kithd.yaml has every key with its meaning and
// default.
//
// An error names the file, the line and the key, and says what would be right; its reason is BAD_PARAMETER. Every
// function here may be called by several threads at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kith::config {

// What may be used a second, see auth::Account; 0: any amount.
struct Rates {
  int64_t requests = 0;  // calls, and blocks of streams
  int64_t rows = 0;
  int64_t bytes = 0;
  int streams = 0;  // open at once
};

// How much one client may ask for.
struct Limits {
  int k = 1024;     // neighbours per row
  int rows = 8192;  // of one Search or Expand message
  int message_bytes = 16 * 1024 * 1024;
  int streams = 1024;                          // open at once
  int connections = 16'384;                    // at once; fewer where the process may not have so many open files
  int experiments = 1024;                      // that may exist
  int64_t answer_bytes = int64_t{1} << 30;     // of Search and Expand, being made or not taken yet
  int64_t message_buffers = int64_t{1} << 30;  // bytes that gRPC may hold of messages that have come in part
  int64_t import_bytes = int64_t{4} << 30;     // of an index file that is imported, and of the vectors in it
  Rates client = {};                           // of each
  Rates experiment = {};                       // of all clients of one together
};

struct Search {
  int threads = 0;         // 0: as many as usable cores
  int queue_rows = 65536;  // waiting rows, all experiments together; at least limits.rows
  int batch_rows = 64;     // that one worker takes at once
};

struct Training {
  int threads = 0;                   // of all trainings together; 0: as many as usable cores
  int concurrent = 1;                // trainings that run at once
  int nice = 19;                     // added to the threads' niceness
  int queue = 16;                    // trainings that wait
  int compress_above_rows = 200000;  // auto compresses more rows than these; 0: never
  int compress_centres = 10000;      // to so many
  int import_seconds = 600;          // of a processor, to read an index file; twice that by the clock
};

constexpr int64_t kLeastBudget = int64_t{64} << 20;  // bytes

struct Memory {
  // Of voices, trainings, imports and uploads together.
  struct Budget {
    std::optional<int64_t> bytes;  // kLeastBudget or more; unset: the share
    int percent = 70;              // of the memory that the process may have, 1 to 100

    // In bytes, where the process may have `usable` bytes; kLeastBudget at least.
    int64_t Of(int64_t usable) const;
  };
  Budget budget;
};

struct Storage {
  int keep_generations = 2;                // of each experiment, the current one among them
  int fold_rows = 10000;                   // additions that are written into a snapshot, in rows
  int64_t fold_bytes = int64_t{64} << 20;  // the same in bytes; whichever is reached first
};

struct Http {
  std::string listen;  // HOST:PORT; empty: nothing is served over HTTP
};

struct Metrics {
  int experiments = 20;  // that have series of their own
};

// PEM files. A relative path starts at the working folder of the process.
struct Tls {
  std::string cert;       // the server's certificate, and those between it and its authority's; empty: no TLS
  std::string key;        // its private key
  std::string client_ca;  // authorities of clients; not empty: only clients with a certificate by one get in

  bool enabled() const { return !cert.empty(); }
};

struct Auth {
  std::string tokens;                // the file of tokens; empty: calls need none
  std::string health = "open";       // open: without a token too; token
  std::string reflection = "token";  // open, token, off

  bool enabled() const { return !tokens.empty(); }
};

struct Log {
  std::string level = "info";   // trace, debug, info, warn, error
  std::string format = "text";  // text, json
  int slow_ms = 250;            // blocks that take so long or longer are logged; 0: none
};

// Checked values; a default-made Config is what an empty file gives.
struct Config {
  std::string listen = "127.0.0.1:50051";
  std::string data_dir = "kith-data";  // relative to the working folder of the process
  int drain_seconds = 25;              // that running calls have at the end
  Limits limits;
  Search search;
  Training training;
  Memory memory;
  std::vector<std::string> preload;  // names of experiments that are loaded at the start and stay; none twice
  Storage storage;
  Http http;
  Metrics metrics;
  Tls tls;
  Auth auth;
  bool insecure = false;  // other machines may reach a server that has neither TLS nor tokens
  Log log;
};

absl::StatusOr<Config> Load(const std::string& path);

// file_name is for messages only.
absl::StatusOr<Config> Parse(const std::string& text, absl::string_view file_name);

// Command-line flags that stand above the file.
struct Overrides {
  std::optional<std::string> listen;     // --listen
  std::optional<std::string> data_dir;   // --data-dir
  std::optional<std::string> log_level;  // --log-level
  std::optional<std::string> insecure;   // KITH_INSECURE in the environment
};

// `config` with the flags that are set, under the same rules; an error names the flag.
absl::StatusOr<Config> WithOverrides(Config config, const Overrides& overrides);

// An error where other machines can reach what nothing protects and nobody said that this is meant.
absl::Status CheckExposure(const Config& config);

}  // namespace kith::config
