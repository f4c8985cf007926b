// What a server has to hold of one experiment, learnt from what it acknowledged.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <shared_mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/client.h"

namespace kith::crash {

struct VoiceOptions {
  int dimension = 8;
  std::string factory = "Flat";  // of an index that gives exact answers
  std::optional<int> nprobe;
  int64_t training_rows = 40;
};

// True where the request may or may not have been done: no answer came, or the server says that its disk failed.
bool IsInDoubt(const absl::Status& status);

// Operations give the call's status. A request in doubt is settled by the next Check: none may be sent before that.
// Thread-safe, but for Check.
class Voice {
 public:
  Voice(std::string name, VoiceOptions options, uint64_t seed);

  const std::string& name() const { return name_; }
  int64_t rows() const;
  bool exists() const;

  absl::Status Train(Client& client);
  absl::Status Retrain(Client& client);
  absl::Status Add(Client& client, int64_t rows);
  absl::Status Delete(Client& client);

  // Compares what the server holds with what it acknowledged, row by row: ids have no gaps and no repeats, and a
  // request in doubt was done whole or not at all. Then repeats those in doubt, under their request ids, and a former
  // one that was acknowledged, whose answers must be those of one application; and searches. Says what is wrong by
  // EXPECT_.
  void Check(Client& client);

  // Compares answers with those of brute force over the rows acknowledged. None may be in doubt.
  void CheckSearch(Client& client);

 private:
  enum class Kind { kTrain, kRetrain, kAdd, kDelete };
  struct Request {
    Kind kind;
    std::string id;
    Frames frames;
    std::optional<int64_t> first_id;  // kAdd: where it was found
    bool done = false;                // found to be done
  };
  struct Stored {
    int64_t generation = 0;
    std::map<int64_t, std::vector<float>> parts;  // by first id: the training, then additions
  };
  struct Held {
    int64_t generation = 0;
    std::vector<float> values;
  };

  Request NewRequest(Kind kind, int64_t rows);
  absl::StatusOr<Experiment> SendTraining(Client& client, const Request& request);
  absl::Status TakeTrained(const absl::StatusOr<Experiment>& trained, Request request);
  absl::Status Failed(const absl::Status& status, Request request);
  void InsertPart(int64_t generation, int64_t first_id, std::vector<float> values);

  std::optional<Held> Fetch(Client& client);
  void Settle(const std::optional<Held>& held);
  bool SettleTraining(const Held& held);
  void SettleAdditions(const Held& held);
  void Repeat(Client& client, const Request& request);
  void RepeatAddition(Client& client, const Request& request);
  void RepeatAcknowledged(Client& client);
  std::vector<float> Values() const;
  std::vector<float> RandomValues(int64_t rows);

  const std::string name_;
  const VoiceOptions options_;
  std::shared_mutex turn_;    // additions share it, everything else has it alone
  mutable std::mutex mutex_;  // guards the rest
  std::mt19937_64 random_;
  std::optional<Stored> stored_;
  std::vector<Request> in_doubt_;
  std::optional<std::pair<Request, AddResult>> acknowledged_;  // the last addition
};

}  // namespace kith::crash
