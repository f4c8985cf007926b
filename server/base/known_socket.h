// A TCP connection's socket that somebody else owns.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace kith {

// Its owner may close it at any moment, and the number then goes to another file; so it is known by its inode as well.
class KnownSocket {
 public:
  // `socket` is open now.
  explicit KnownSocket(int socket);

  bool IsOpen() const;

  // Bytes that have come by it, read or not. Once it is closed, 0 or those of another.
  int64_t BytesReceived() const;

  // Bytes that were sent by it and that its peer's machine has not said it has got. As BytesReceived once it is closed.
  int64_t BytesUnderWay() const;

  // Ends its connection, of which its owner learns as if its peer had: nothing is sent or comes any more, and what has
  // not been read yet is thrown away. The peer learns it when the owner closes the socket, at the latest. False where
  // it is closed already, or where there is no file descriptor left.
  bool Break() const;

  // Ends it in good order: the peer gets what was sent, and then the end. Its owner is told of the end too. False as
  // for Break.
  bool Finish() const;

 private:
  // What this number stands for may change at any moment, what a copy of it stands for does not. False where it is
  // another file's by now, and `use` not called.
  template <typename Use>
  bool WithCopy(Use use) const;

  int socket_;
  ino_t inode_;
};

}  // namespace kith
