#include "server/base/fault.h"

#ifndef KITH_FAULTS
#error "This file is for kithd_faulty only."
#endif

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

namespace kith {
namespace {

struct Order {
  std::string point;
  int nth = 1;
  bool onwards = false;
  std::string action = "kill";
};

std::string OrderText() {
  const char* variable = std::getenv("KITH_FAULT");
  std::string text = variable == nullptr ? "" : variable;
  if (text.empty() || text[0] != '@') return text;
  std::ifstream file(text.substr(1));
  text.clear();
  std::getline(file, text);
  return text;
}

Order Parse(const std::string& text) {
  Order order;
  const size_t action = text.find('=');
  if (action != std::string::npos) order.action = text.substr(action + 1);
  order.point = text.substr(0, action);
  const size_t nth = order.point.find(':');
  if (nth == std::string::npos) return order;
  order.nth = std::atoi(order.point.c_str() + nth + 1);
  order.onwards = order.point.back() == '+';
  order.point.resize(nth);
  return order;
}

int ErrnoOf(const std::string& action) {
  static const std::map<std::string, int> kErrors = {{"enospc", ENOSPC}, {"eio", EIO}, {"erofs", EROFS}};
  const auto found = kErrors.find(action);
  if (found != kErrors.end()) return found->second;
  std::fprintf(stderr, "KITH_FAULT: there is no action '%s'\n", action.c_str());
  std::abort();
}

// Whether this passing of `point` is one that fails; `action` says how.
bool Strikes(const char* point, std::string* action) {
  static std::mutex mutex;
  static std::string text;
  static int passed = 0;
  const std::lock_guard<std::mutex> lock(mutex);
  if (std::string now = OrderText(); now != text) {
    text = std::move(now);
    passed = 0;
  }
  if (text.empty()) return false;
  const Order order = Parse(text);
  if (order.point != "any" && order.point != point) return false;
  ++passed;
  *action = order.action;
  return order.onwards ? passed >= order.nth : passed == order.nth;
}

}  // namespace

bool Fault(const char* point) {
  const int former_errno = errno;
  std::string action;
  if (!Strikes(point, &action)) {
    errno = former_errno;
    return false;
  }
  std::fprintf(stderr, "fault: %s: %s\n", point, action.c_str());
  if (action == "kill") std::raise(SIGKILL);
  errno = ErrnoOf(action);
  return true;
}

}  // namespace kith
