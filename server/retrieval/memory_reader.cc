#include "server/retrieval/memory_reader.h"

#include <cstring>

namespace kith::retrieval {

size_t MemoryReader::operator()(void* data, size_t size, size_t count) {
  constexpr char kDiskLists[] = {'i', 'l', 'o', 'd'};
  if (met_disk_lists_) return 0;
  const size_t read = (*below_)(data, size, count);
  // faiss reads a mark as one value of four bytes. As a number that is out of range wherever an index has one.
  const bool is_mark = read == 1 && size == sizeof(kDiskLists);
  met_disk_lists_ = is_mark && std::memcmp(data, kDiskLists, sizeof(kDiskLists)) == 0;
  return met_disk_lists_ ? 0 : read;
}

}  // namespace kith::retrieval
