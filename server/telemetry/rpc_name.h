// The calls of kith.v1 by name.
#pragma once

#include <string_view>

namespace kith::telemetry {

enum class Rpc {
  kTrain,
  kAdd,
  kSearch,
  kExpand,
  kStreamSearch,
  kStreamExpand,
  kList,
  kGet,
  kDelete,
  kImport,
  kExport,
  kGetFrames,
  kTune,
  kLoad,
  kUnload,
  kPin,
  kUnpin,
  kGenerations,
  kRollback,
  kBackup,
  kRestore,
  kGetServerInfo,
  kSetLogLevel,
};

inline constexpr int kRpcs = static_cast<int>(Rpc::kSetLogLevel) + 1;

// As in the .proto files: "StreamExpand".
std::string_view RpcName(Rpc rpc);

}  // namespace kith::telemetry
