// Connections that wait for a thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>

namespace kith::http {

// Of at most so many. Owns the sockets in it. Thread-safe.
class ConnectionQueue {
 public:
  explicit ConnectionQueue(size_t most) : most_(most) {}
  ~ConnectionQueue();

  // Closes the connection where there is no room.
  void Push(int socket);

  // The next one, which is the caller's; waits for it. -1 after Close.
  int Pop();

  // Closes those that wait; no more are given out.
  void Close();

  // Whether any waits, or nobody is to wait any longer.
  bool IsWanted() const;

 private:
  const size_t most_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<int> sockets_;  // guarded by mutex_
  bool closed_ = false;      // guarded by mutex_
};

}  // namespace kith::http
