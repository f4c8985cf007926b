// Runs a fuzz target without libFuzzer: on every file of its kept corpus, and on so many variations of them, which are
// the same each time.
//
//   fuzz_NAME CORPUS_FOLDER [VARIATIONS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/target.h"

namespace {

using Bytes = std::string;

std::vector<Bytes> ReadCorpus(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

// A few of the changes that libFuzzer makes.
void Vary(Bytes* bytes, const std::vector<Bytes>& corpus, std::mt19937_64& random) {
  const auto place = [&](size_t size) { return static_cast<size_t>(random() % (size + 1)); };
  for (auto changes = 1 + random() % 4; changes > 0; --changes) {
    const Bytes& other = corpus[random() % corpus.size()];
    const size_t at = place(bytes->size());
    switch (random() % 6) {
      case 0:
        if (at < bytes->size()) (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << random() % 8));
        break;
      case 1:
        if (at < bytes->size()) (*bytes)[at] = static_cast<char>(random());
        break;
      case 2:
        bytes->insert(at, 1 + random() % 8, static_cast<char>(random()));
        break;
      case 3:
        bytes->erase(at, 1 + random() % 16);
        break;
      case 4: {
        const size_t from = place(other.size());
        bytes->insert(at, other, from, 1 + random() % 64);
        break;
      }
      default:
        bytes->resize(at);
    }
  }
}

void Run(const Bytes& bytes) { LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()); }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER [VARIATIONS]\n", argv[0]);
    return 2;
  }
  const std::vector<Bytes> corpus = ReadCorpus(argv[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: the corpus is empty\n", argv[1]);
    return 1;
  }
  for (const Bytes& bytes : corpus) Run(bytes);
  const int64_t variations = argc > 2 ? std::atoll(argv[2]) : 0;
  std::mt19937_64 random(1);
  for (int64_t i = 0; i < variations; ++i) {
    Bytes bytes = corpus[random() % corpus.size()];
    Vary(&bytes, corpus, random);
    Run(bytes);
  }
  std::printf("%zu of the corpus, %lld variations\n", corpus.size(), static_cast<long long>(variations));
  return 0;
}
