// Client::Backup, Restore and RestoreFile.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/byte_upload.h"
#include "client/cpp/client_impl.h"
#include "client/cpp/convert.h"
#include "client/cpp/download.h"
#include "client/cpp/input_file.h"
#include "grpcpp/support/sync_stream.h"

namespace kith {
namespace {

// OK for a file that begins as a tar does (POSIX.1 "ustar"; GNU tar's and pax's begin alike), so that nobody uploads
// gigabytes to learn that they were no backup.
absl::Status CheckTar(const std::string& path, absl::string_view head) {
  constexpr size_t kMagicAt = 257;
  const auto bad = [&](const char* what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what, "; give a tar that kith backup wrote"));
  };
  if (head.size() > kMagicAt && absl::StartsWith(head.substr(kMagicAt), "ustar")) return absl::OkStatus();
  if (absl::StartsWith(head, "\x1f\x8b") || absl::StartsWith(head, "\x28\xb5\x2f\xfd") ||
      absl::StartsWith(head,
                       "\xfd"
                       "7zXZ")) {
    return bad("is compressed, and has to be unpacked first");
  }
  return bad("is no tar");
}

}  // namespace

absl::StatusOr<BackupInfo> Client::Backup(const ByteSink& sink, const CallOptions& call) {
  std::optional<BackupInfo> info;
  int64_t got = 0;
  const absl::Status status = client::Download<v1::BackupResponse>(
      *impl_->connection, "", call,
      [&](grpc::ClientContext* context) { return impl_->connection->experiments().Backup(context, {}); },
      [&](const v1::BackupResponse& response) {
        if (response.data().empty()) {
          info = {response.experiments(), response.generations(), response.bytes(), {}};
          for (const v1::LeftOut& left_out : response.left_out()) {
            info->left_out.push_back({left_out.experiment(), left_out.generation(), left_out.message()});
          }
          return absl::OkStatus();
        }
        got += static_cast<int64_t>(response.data().size());
        return sink(response.data());
      });
  if (!status.ok()) return status;
  if (!info) return absl::InternalError("the server ended the backup before its end");
  if (got != info->bytes) return client::CutShort(got, info->bytes, "bytes");
  return *info;
}

absl::StatusOr<std::vector<Experiment>> Client::Restore(const ByteSource& source, const RestoreOptions& restore,
                                                        const CallOptions& call) {
  client::Connection& connection = *impl_->connection;
  const absl::Time deadline = client::DeadlineOf(call);
  if (absl::Status ready = connection.WaitUntilReady(deadline, call.cancellation); !ready.ok()) return ready;
  client::CallContext context(connection, "", deadline, call.cancellation);
  v1::RestoreResponse response;
  const auto stream = connection.experiments().Restore(context.grpc(), &response);
  v1::RestoreRequest opening;
  opening.set_replace(restore.replace);
  int64_t done = 0;
  const absl::Status sent = client::SendBytes(std::move(opening), source, [&](const v1::RestoreRequest& request) {
    if (!stream->Write(request)) return false;
    done += static_cast<int64_t>(request.data().size());
    if (restore.on_bytes) restore.on_bytes(done);
    return true;
  });
  if (sent.ok()) {
    stream->WritesDone();
  } else {
    context.grpc()->TryCancel();  // without the half-close the server keeps nothing
  }
  const absl::Status ended = client::FromGrpc(stream->Finish(), connection.target());
  if (!sent.ok()) return sent;
  if (!ended.ok()) return ended;
  std::vector<Experiment> restored;
  for (const v1::Experiment& experiment : response.experiments()) restored.push_back(client::FromProto(experiment));
  return restored;
}

absl::StatusOr<std::vector<Experiment>> Client::RestoreFile(const std::string& path, const RestoreOptions& restore,
                                                            const CallOptions& call) {
  constexpr size_t kTarBlock = 512;
  auto file = client::InputFile::Open(path, "give a tar that kith backup wrote");
  if (!file.ok()) return file.status();
  const auto head = file->Head(kTarBlock);
  if (!head.ok()) return head.status();
  if (absl::Status status = CheckTar(path, *head); !status.ok()) return status;
  return Restore(file->Source(), restore, call);
}

}  // namespace kith
