#include "server/rpc/access.h"

namespace kith::rpc {

using auth::Subject;
using telemetry::Rpc;
using token::Scope;

Access AccessOf(Rpc rpc) {
  switch (rpc) {
    case Rpc::kSearch:
    case Rpc::kExpand:
    case Rpc::kStreamSearch:
    case Rpc::kStreamExpand:
    case Rpc::kGet:
    case Rpc::kGenerations:
    case Rpc::kExport:
    case Rpc::kGetFrames:
      return {Scope::kRead, Subject::kExperiment};
    case Rpc::kList:
      return {Scope::kRead, Subject::kListed};
    case Rpc::kTrain:
    case Rpc::kAdd:
    case Rpc::kImport:
    case Rpc::kDelete:
    case Rpc::kRollback:
    case Rpc::kLoad:
    case Rpc::kUnload:
    case Rpc::kTune:
      return {Scope::kWrite, Subject::kExperiment};
    case Rpc::kPin:
    case Rpc::kUnpin:
      return {Scope::kAdmin, Subject::kExperiment};
    case Rpc::kBackup:
    case Rpc::kRestore:
    case Rpc::kGetServerInfo:
      break;
  }
  return {Scope::kAdmin, Subject::kServer};
}

}  // namespace kith::rpc
