// The C++ client of a Kith server.
//
//   kith::Client client({"127.0.0.1:50051"});
//   absl::StatusOr<kith::ExpandResult> out = client.Expand("my-voice", frames);
//
// Errors are canonical codes with a sentence for people; error.h reads the server's stable reason from them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/block_stream.h"
#include "client/cpp/byte_stream.h"
#include "client/cpp/cancellation.h"
#include "client/cpp/frame_source.h"
#include "client/cpp/types.h"

namespace kith {

// How to a server that has TLS. Files are in PEM.
struct TlsOptions {
  std::string ca;    // authorities that the server's certificate may be by; kSystemCa: those of this machine
  std::string cert;  // the client's own certificate and its private key, where the server asks for one; both or none
  std::string key;

  static constexpr char kSystemCa[] = "system";

  // Any of them: otherwise plain text.
  bool enabled() const { return !ca.empty() || !cert.empty() || !key.empty(); }
};

struct ClientOptions {
  std::string target = "127.0.0.1:50051";             // HOST:PORT; without a port: 50051
  absl::Duration connect_timeout = absl::Seconds(5);  // a server not reached by then is UNAVAILABLE
  absl::Duration unary_timeout = absl::Seconds(30);   // of each request, unless the call has its own timeout
  int max_message_bytes = 16 << 20;                   // the server's limit; nothing larger is sent or taken
  TlsOptions tls = {};                                // read when the Client is made; calls tell what is wrong
  std::string token = {};                             // kith_..., see ReadTokenFile; empty: none. Goes with each call
};

// The token in a file, such as kith token create prints: its first line. NOT_FOUND, INVALID_ARGUMENT and the like, in
// words that do not tell the token.
absl::StatusOr<std::string> ReadTokenFile(const std::string& path);

struct CallOptions {
  // Of the whole call, however many requests it takes. Unset: ClientOptions::unary_timeout for each request of Search,
  // Expand, List, Get, Delete, Unload, Unpin, Generations, GetServerInfo, SetLogLevel and GetHealth; none for the
  // others, which may take long.
  std::optional<absl::Duration> timeout;
  // Names the call for the server's log and in its error (error.h: ErrorRequestId): 1 to 128 characters of visible
  // ASCII. Anything else is not sent, and the server makes one.
  std::string request_id;
  Cancellation* cancellation = nullptr;  // not owned; ends the call with CANCELLED
  std::function<void(int64_t)> on_rows;  // Add, Search, Expand: rows sent or answered so far
};

struct TrainOptions {
  std::optional<Recipe> recipe;                           // unset: auto; for Retrain, the recipe of the last training
  std::string request_id;                                 // makes a retry of the caller's safe
  bool detach = false;                                    // do not wait for the training: see Train
  std::function<void(const TrainProgress&)> on_progress;  // from another thread, one call at a time
};

struct ImportOptions {
  std::string file_name;                                  // without folders; tells an nprobe where the index does not
  bool detach = false;                                    // do not wait for the import: as in TrainOptions
  std::function<void(const TrainProgress&)> on_progress;  // from another thread, one call at a time
};

struct RestoreOptions {
  bool replace = false;                   // experiments of the backup take the place of those of the same names
  std::function<void(int64_t)> on_bytes;  // sent so far; from the calling thread
};

struct TuneOptions {
  FramesView queries;                   // what to measure on; none: 512 that the server makes of the stored frames
  int64_t sample = 0;                   // stored frames to try it on, drawn at random; 0: all
  std::optional<double> target_recall;  // what the chosen candidate has to reach, above 0, at most 1; unset: 0.95
  std::optional<int64_t> seed;          // unset: 1234
  std::function<void(const TuneProgress&)> on_progress;  // from the calling thread
};

// Thread-safe. Keeps one connection, shared with its streams and with no other Client. Nothing is connected before the
// first call. Search, Expand, Add, List, Get, Load, Unload, Pin, Unpin, Generations and GetServerInfo are tried again
// when the connection breaks under them or the server drains, once it is back within connect_timeout.
class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const std::string& target() const;

  // Trains `experiment` on the frames of `source`, replacing what it holds, and gives what was built. At least one row
  // is needed. With `detach` it returns as soon as the server has accepted the upload and goes on alone; the answer
  // then holds name, rows, dimension and `training` only.
  absl::StatusOr<Experiment> Train(std::string_view experiment, FrameSource& source, const TrainOptions& train = {},
                                   const CallOptions& call = {});

  // Trains it again on the frames that the server holds of it, additions included.
  absl::StatusOr<Experiment> Retrain(std::string_view experiment, const TrainOptions& train = {},
                                     const CallOptions& call = {});

  // Appends frames: all of them or none. An empty request_id means a new random one. The answer comes once they are
  // durable.
  absl::StatusOr<AddResult> Add(std::string_view experiment, FrameSource& source, std::string request_id = {},
                                const CallOptions& call = {});

  // The nearest stored frames of each row. Any number of rows; large requests are split and put together again, all
  // parts from one generation (ABORTED if trainings keep replacing it).
  absl::StatusOr<SearchResult> Search(std::string_view experiment, FramesView frames, const SearchParams& params = {},
                                      const CallOptions& call = {});

  // Each row blended with its nearest stored frames; otherwise as Search.
  absl::StatusOr<ExpandResult> Expand(std::string_view experiment, FramesView frames, const ExpandParams& params = {},
                                      const CallOptions& call = {});

  // Makes `experiment` of a faiss index file, replacing what it holds, and gives what it is now. With `detach` as
  // Train.
  absl::StatusOr<Experiment> Import(std::string_view experiment, const ByteSource& source,
                                    const ImportOptions& import = {}, const CallOptions& call = {});

  // The same of the file at `path`, whose name it gives where `import` has none. NOT_FOUND and the like where it cannot
  // be read.
  absl::StatusOr<Experiment> ImportFile(std::string_view experiment, const std::string& path, ImportOptions import = {},
                                        const CallOptions& call = {});

  // The current generation as a faiss index file.
  absl::StatusOr<ExportInfo> Export(std::string_view experiment, ExportSink& sink, const CallOptions& call = {});

  // `count` stored frames from `first_id` on, in the order of their ids, all of one generation; count 0: all.
  absl::StatusOr<FramesInfo> GetFrames(std::string_view experiment, FramesSink& sink, int64_t first_id = 0,
                                       int64_t count = 0, const CallOptions& call = {});

  // All experiments, in the order of their names.
  absl::StatusOr<std::vector<Experiment>> List(const CallOptions& call = {});
  absl::StatusOr<Experiment> Get(std::string_view experiment, const CallOptions& call = {});
  absl::Status Delete(std::string_view experiment, const CallOptions& call = {});

  // Loads it into memory, as its first use would; gives it as it is then.
  absl::StatusOr<Experiment> Load(std::string_view experiment, const CallOptions& call = {});

  // Lets go of its memory once the searches that run have ended; its next use loads it again.
  absl::StatusOr<Experiment> Unload(std::string_view experiment, const CallOptions& call = {});

  // Loads it and keeps it in memory, also after a restart of the server; and takes that back.
  absl::StatusOr<Experiment> Pin(std::string_view experiment, const CallOptions& call = {});
  absl::StatusOr<Experiment> Unpin(std::string_view experiment, const CallOptions& call = {});

  // The generations that are kept, the one that became current last first.
  absl::StatusOr<std::vector<Generation>> Generations(std::string_view experiment, const CallOptions& call = {});

  // Makes the kept generation `to` the current one, as it last was, its additions included; unset: the one that was
  // current before. What was added to the one that was current stays with that.
  absl::StatusOr<Experiment> Rollback(std::string_view experiment, std::optional<int64_t> to = {},
                                      const CallOptions& call = {});

  // All experiments as a tar: a data folder that kithd can be started on, and what Restore takes. What is damaged on
  // the server is not in it: look at left_out.
  absl::StatusOr<BackupInfo> Backup(const ByteSink& sink, const CallOptions& call = {});

  // Puts the experiments of such a tar in, each whole or not at all, and gives those that it put in. ALREADY_EXISTS,
  // and nothing is done, where some exist and `replace` is not set.
  absl::StatusOr<std::vector<Experiment>> Restore(const ByteSource& source, const RestoreOptions& restore = {},
                                                  const CallOptions& call = {});

  // The same of the file at `path`. NOT_FOUND and the like where it cannot be read, INVALID_ARGUMENT where it is no
  // tar; then nothing is sent.
  absl::StatusOr<std::vector<Experiment>> RestoreFile(const std::string& path, const RestoreOptions& restore = {},
                                                      const CallOptions& call = {});

  // Tries recipes and search parameters on the server's machine and gives what each is worth, fastest first. Takes
  // minutes; changes nothing. The queries have to fit into one message: 8,192 rows and max_message_bytes at most.
  absl::StatusOr<std::vector<TuneCandidate>> Tune(std::string_view experiment, const TuneOptions& tune = {},
                                                  const CallOptions& call = {});

  // What the server is, what it holds, and where the time of its blocks went.
  absl::StatusOr<ServerInfo> GetServerInfo(const CallOptions& call = {});

  // Changes what the server logs from now on, until it is started anew: trace, debug, info, warn or error and what is
  // worse. What it was. INVALID_ARGUMENT.
  absl::StatusOr<std::string> SetLogLevel(const std::string& level, const CallOptions& call = {});

  // What the server says of its health; an error only where it could not be asked.
  absl::StatusOr<Health> GetHealth(const CallOptions& call = {});

  // Opens a stream. `budget` is the time for a block from the moment the server has it, in whole milliseconds, 1 or
  // more; unset: none. A bad opening (an unknown experiment, say) shows in the stream's first Read. The stream may
  // outlive the Client.
  absl::StatusOr<std::unique_ptr<ExpandStream>> StreamExpand(std::string_view experiment,
                                                             const ExpandParams& params = {},
                                                             std::optional<absl::Duration> budget = {},
                                                             const CallOptions& call = {});
  absl::StatusOr<std::unique_ptr<SearchStream>> StreamSearch(std::string_view experiment,
                                                             const SearchParams& params = {},
                                                             std::optional<absl::Duration> budget = {},
                                                             const CallOptions& call = {});

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kith
