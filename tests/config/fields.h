// All that a Config holds, to compare with.
#pragma once

#include <tuple>

#include "server/config/config.h"

namespace kith::config {

inline auto Fields(const Config& c) {
  const auto rates = [](const Rates& r) { return std::tuple(r.requests, r.rows, r.bytes, r.streams); };
  return std::tuple(
      rates(c.limits.client), rates(c.limits.experiment), c.listen, c.data_dir, c.drain_seconds, c.limits.k,
      c.limits.rows, c.limits.message_bytes, c.limits.streams, c.limits.connections, c.limits.experiments,
      c.limits.answer_bytes, c.limits.message_buffers, c.limits.import_bytes, c.search.threads, c.search.queue_rows,
      c.search.batch_rows, c.training.threads, c.training.concurrent, c.training.nice, c.training.queue,
      c.training.compress_above_rows, c.training.compress_centres, c.training.import_seconds, c.memory.budget.bytes,
      c.memory.budget.percent, c.preload, c.http.listen, c.metrics.experiments, c.storage.keep_generations,
      c.storage.fold_rows, c.storage.fold_bytes, c.tls.cert, c.tls.key, c.tls.client_ca, c.auth.tokens, c.auth.health,
      c.auth.reflection, c.insecure, c.log.level, c.log.format, c.log.slow_ms);
}

}  // namespace kith::config
