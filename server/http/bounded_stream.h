// A connection that cannot hold its thread for long.
#pragma once

#include <httplib.h>

#include <array>
#include <cstddef>
#include <string>

#include "server/base/clock.h"
#include "server/http/connection_queue.h"
#include "server/http/limits.h"
#include "server/http/tls.h"

namespace kith::http {

// httplib's own stream takes any number of bytes, and each one of them may take seconds to come. Used by one thread.
class BoundedStream : public httplib::Stream {
 public:
  // `others` wait for this thread. Both outlive this, as does the socket. `tls`: what the socket is spoken to by; null
  // for plain text.
  BoundedStream(int socket, const Limits& limits, const ConnectionQueue& others, Ssl tls = nullptr);
  // Tells the client that this was all.
  ~BoundedStream() override;

  bool is_readable() const override;
  bool is_writable() const override;
  // -1 where the client has had its time or its bytes.
  ssize_t read(char* bytes, size_t size) override;
  ssize_t write(const char* bytes, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }
  const SSL* tls() const { return tls_.get(); }

 private:
  // Waits for the client, for as long as it may have.
  bool Wait(int16_t events) const;
  ssize_t Receive(size_t most);
  ssize_t Send(const char* bytes, size_t size);
  // Repeats what OpenSSL wants repeated when the client has sent or taken something. `attempt` gives its result.
  template <typename Attempt>
  ssize_t UntilDone(Attempt attempt);

  const int socket_;
  const Ssl tls_;
  const TimePoint start_ = Clock::now();
  const Limits& limits_;
  const ConnectionQueue& others_;
  size_t bytes_left_;  // that it may send
  // httplib reads byte by byte.
  std::array<char, 4096> buffer_ = {};
  size_t buffered_ = 0;
  size_t given_ = 0;
};

}  // namespace kith::http
