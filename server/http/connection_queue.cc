#include "server/http/connection_queue.h"

#include <unistd.h>

namespace kith::http {

ConnectionQueue::~ConnectionQueue() { Close(); }

void ConnectionQueue::Push(int socket) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_ || sockets_.size() >= most_) {
      close(socket);
      return;
    }
    sockets_.push_back(socket);
  }
  changed_.notify_one();
}

int ConnectionQueue::Pop() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || !sockets_.empty(); });
  if (sockets_.empty()) return -1;
  const int socket = sockets_.front();
  sockets_.pop_front();
  return socket;
}

void ConnectionQueue::Close() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    for (const int socket : sockets_) close(socket);
    sockets_.clear();
  }
  changed_.notify_all();
}

bool ConnectionQueue::IsWanted() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return closed_ || !sockets_.empty();
}

}  // namespace kith::http
