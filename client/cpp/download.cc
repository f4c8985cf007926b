// Client::Export and GetFrames.
#include "client/cpp/download.h"

#include <cstring>
#include <string>
#include <string_view>

#include "client/cpp/client_impl.h"

namespace kith {

absl::StatusOr<ExportInfo> Client::Export(std::string_view experiment, ExportSink& sink, const CallOptions& call) {
  v1::ExportRequest request;
  request.set_name(std::string(experiment));
  ExportInfo info;
  bool begun = false;
  int64_t got = 0;
  const absl::Status status = client::Download<v1::ExportResponse>(
      *impl_->connection, experiment, call,
      [&](grpc::ClientContext* context) { return impl_->connection->experiments().Export(context, request); },
      [&](const v1::ExportResponse& response) {
        if (!begun) {
          begun = true;
          info = {response.total_bytes(), response.generation(), response.file_name()};
          return sink.Begin(info);
        }
        got += static_cast<int64_t>(response.data().size());
        return sink.Write(response.data());
      });
  if (!status.ok()) return status;
  if (!begun || got != info.bytes) return client::CutShort(got, info.bytes, "bytes");
  return info;
}

absl::StatusOr<FramesInfo> Client::GetFrames(std::string_view experiment, FramesSink& sink, int64_t first_id,
                                             int64_t count, const CallOptions& call) {
  v1::GetFramesRequest request;
  request.set_name(std::string(experiment));
  request.set_first_id(first_id);
  request.set_count(count);
  FramesInfo info;
  bool begun = false;
  int64_t got = 0;
  Frames part;
  const absl::Status status = client::Download<v1::GetFramesResponse>(
      *impl_->connection, experiment, call,
      [&](grpc::ClientContext* context) { return impl_->connection->experiments().GetFrames(context, request); },
      [&](const v1::GetFramesResponse& response) -> absl::Status {
        if (!begun) {
          begun = true;
          info = {response.rows(), response.dimension(), response.generation()};
          return sink.Begin(info);
        }
        const std::string& raw = response.frames().raw();
        const size_t row_bytes = sizeof(float) * static_cast<size_t>(info.dimension);
        if (row_bytes == 0 || raw.size() % row_bytes != 0) return absl::InternalError("the server sent no whole rows");
        part.dimension = info.dimension;
        part.values.resize(raw.size() / sizeof(float));
        std::memcpy(part.values.data(), raw.data(), raw.size());
        got += part.rows();
        return sink.Write(part);
      });
  if (!status.ok()) return status;
  if (!begun || got != info.rows) return client::CutShort(got, info.rows, "rows");
  return info;
}

}  // namespace kith
