// Reads a faiss index that lies in one file, whole.
#pragma once

#include <faiss/impl/io.h>

namespace kith::retrieval {

// Gives what `below` gives, up to the mark of inverted lists that lie in a file of their own ("ilod"): there it ends,
// because faiss would go on by opening the path that stands behind it, whatever that is.
class MemoryReader : public faiss::IOReader {
 public:
  explicit MemoryReader(faiss::IOReader* below) : below_(below) { name = below->name; }

  size_t operator()(void* data, size_t size, size_t count) override;

  // Whether it ended there.
  bool met_disk_lists() const { return met_disk_lists_; }

 private:
  faiss::IOReader* const below_;
  bool met_disk_lists_ = false;
};

}  // namespace kith::retrieval
