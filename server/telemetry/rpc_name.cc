#include "server/telemetry/rpc_name.h"

namespace kith::telemetry {

std::string_view RpcName(Rpc rpc) {
  switch (rpc) {
    case Rpc::kTrain:
      return "Train";
    case Rpc::kAdd:
      return "Add";
    case Rpc::kSearch:
      return "Search";
    case Rpc::kExpand:
      return "Expand";
    case Rpc::kStreamSearch:
      return "StreamSearch";
    case Rpc::kStreamExpand:
      return "StreamExpand";
    case Rpc::kList:
      return "List";
    case Rpc::kGet:
      return "Get";
    case Rpc::kDelete:
      return "Delete";
    case Rpc::kImport:
      return "Import";
    case Rpc::kExport:
      return "Export";
    case Rpc::kGetFrames:
      return "GetFrames";
    case Rpc::kTune:
      return "Tune";
    case Rpc::kLoad:
      return "Load";
    case Rpc::kUnload:
      return "Unload";
    case Rpc::kPin:
      return "Pin";
    case Rpc::kUnpin:
      return "Unpin";
    case Rpc::kGenerations:
      return "Generations";
    case Rpc::kRollback:
      return "Rollback";
    case Rpc::kBackup:
      return "Backup";
    case Rpc::kRestore:
      return "Restore";
    case Rpc::kGetServerInfo:
      return "GetServerInfo";
    case Rpc::kSetLogLevel:
      return "SetLogLevel";
  }
  return "";
}

}  // namespace kith::telemetry
