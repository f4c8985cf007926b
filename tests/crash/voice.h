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

// Gives them once; they have to stay.
ByteSource SourceOf(const std::string& bytes);

// Operations give the call's status. A request in doubt is settled by the next Check: none may be sent before that.
// Thread-safe, but for what says otherwise.
class Voice {
 public:
  Voice(std::string name, VoiceOptions options, uint64_t seed);

  const std::string& name() const { return name_; }
  int64_t rows() const;
  bool exists() const;
  bool has_former() const;  // a generation besides the current one

  absl::Status Train(Client& client);
  absl::Status Retrain(Client& client);
  absl::Status Add(Client& client, int64_t rows);
  absl::Status Rollback(Client& client);  // to the former generation; there has to be one
  absl::Status SetPinned(Client& client, bool pinned);
  absl::Status Delete(Client& client);

  // What a backup holds of it, and the same put in again, in place of what there is. Remember is not thread-safe.
  void Remember() { remembered_ = stored_; }
  absl::Status Restore(Client& client, const std::string& tar);

  // Compares what the server holds with what it acknowledged, row by row: ids have no gaps and no repeats, and a
  // request in doubt was done whole or not at all; the former generations are as they were. Then repeats those in
  // doubt, under their request ids, and a former one that was acknowledged, whose answers must be those of one
  // application; and searches. Says what is wrong by EXPECT_. Not thread-safe.
  enum class Former { kSound, kMayBeDamaged };
  void Check(Client& client, Former former = Former::kSound);

  // Compares answers with those of brute force over the rows acknowledged. None may be in doubt.
  void CheckSearch(Client& client);

  // The same where the server says that the current generation is damaged: another one answers, says which it is, and
  // is right; additions are refused. Not thread-safe.
  void CheckDegraded(Client& client);

  // A server that has a backup, which was taken while writers added to it: it holds whole additions, one after the
  // other, and those of the first `rows` at least, which were acknowledged before. Not thread-safe.
  void CheckRestored(Client& client, int64_t rows);

 private:
  enum class Kind { kTrain, kRetrain, kAdd, kRollback, kPin, kDelete, kRestore };
  struct Request {
    Kind kind;
    std::string id;
    Frames frames;
    std::optional<int64_t> first_id = std::nullopt;  // kAdd: where it was found
    bool done = false;                               // found to be done
    int64_t generation = 0;                          // kRollback: to which
    bool pinned = false;                             // kPin
    std::string tar = {};                            // kRestore
  };
  struct Kept {
    int64_t number = 0;
    std::map<int64_t, std::vector<float>> parts;  // by first id: the training, then additions
    std::vector<float> Values() const;
  };
  struct Stored {
    std::vector<Kept> generations;                                             // the one that became current last first
    std::optional<std::pair<Request, AddResult>> acknowledged = std::nullopt;  // the last addition
    bool pinned = false;
    Kept& current() { return generations.front(); }
  };
  struct Held {
    int64_t generation = 0;
    std::vector<float> values;
  };

  Request NewRequest(Kind kind, int64_t rows);
  absl::StatusOr<Experiment> SendTraining(Client& client, const Request& request);
  absl::Status TakeTrained(const absl::StatusOr<Experiment>& trained, Request request);
  absl::Status Roll(Client& client, Request request);
  absl::Status Pin(Client& client, Request request);
  absl::Status PutBack(Client& client, Request request);
  absl::Status Failed(const absl::Status& status, Request request);
  void InsertPart(int64_t generation, int64_t first_id, std::vector<float> values);
  // These change what is stored; mutex_ is held, or nobody else works.
  void PutTrained(int64_t generation, std::vector<float> values);
  void MakeCurrent(int64_t generation);
  Kept* FindKept(int64_t generation);

  std::optional<Held> Fetch(Client& client);
  void Settle(const std::optional<Held>& held);
  bool SettleChange(const Held& held, Request* request);
  void SettleAdditions(const Held& held);
  void Repeat(Client& client, const Request& request);
  void RepeatAddition(Client& client, const Request& request);
  void RepeatAcknowledged(Client& client);
  void CheckGenerations(Client& client);
  void CheckPin(Client& client, const std::vector<Request>& in_doubt);
  void ExpectFound(const SearchResult& found, const Frames& queries, const std::vector<float>& stored) const;
  Frames Queries(const std::vector<float>& stored);
  std::vector<float> Values() const;
  std::vector<float> RandomValues(int64_t rows);

  const std::string name_;
  const VoiceOptions options_;
  std::shared_mutex turn_;    // additions share it, everything else has it alone
  mutable std::mutex mutex_;  // guards the rest
  std::mt19937_64 random_;
  std::optional<Stored> stored_;
  std::optional<Stored> remembered_;
  std::vector<Request> in_doubt_;
};

}  // namespace kith::crash
