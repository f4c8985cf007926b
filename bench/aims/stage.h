// What the rows of the table are measured on: a kithd and trained voices, made when the first row needs them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "bench/aims/baseline.h"
#include "bench/server.h"
#include "client/cpp/client.h"

namespace kith::bench {

inline constexpr int kDimension = 768;
inline constexpr int kBlock = 16;  // rows: what a real-time client sends at RVC's defaults

struct Setting {
  std::string kithd;
  std::string data_folder;  // of real frames
  bool quick = false;       // few samples
};

// A voice on the stage's server.
struct Voice {
  std::string name;
  Frames frames;   // stored
  Frames queries;  // whole blocks
  Experiment trained;

  int64_t blocks() const { return queries.rows() / kBlock; }
  FramesView Block(int64_t number) const { return FramesView(queries).Rows(number % blocks() * kBlock, kBlock); }
};

// Frames that look like speech, and others of the same voice to ask with.
Voice GeneratedVoice(int64_t rows, uint64_t seed = 1);

class Stage {
 public:
  explicit Stage(Setting setting) : setting(std::move(setting)) {}

  const Setting setting;

  Server& server();
  Client& client();

  // Trained by `recipe` (rvc, auto) on so many generated frames.
  const Voice& Generated(int64_t rows, const std::string& recipe = "rvc");
  // The same by RVC's recipe, but around frames drawn at random instead of k-means' centroids: for --quick, which has
  // no time for k-means. A search takes as long.
  const Voice& WithoutKMeans(int64_t rows);
  // 7,253 rows: real frames asked with those of other speakers, or generated ones where they are not at hand.
  const Voice& Short(const std::string& recipe = "rvc");
  bool has_real_frames() const;

  // The index file that kithd made of it, read into this process.
  std::unique_ptr<Baseline> Local(const Voice& voice);

 private:
  const Voice& Train(Voice voice, const std::string& recipe);
  const Voice& Keep(Voice voice);
  Frames Loaded(const std::string& file) const;  // of the folder of real frames

  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
  std::map<std::string, Voice> voices_;
};

}  // namespace kith::bench
