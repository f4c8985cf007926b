// What Export and GetFrames send, message by message.
#pragma once

#include <string>

#include "kith/v1/experiments.pb.h"
#include "server/rpc/context.h"
#include "server/rpc/download_call.h"

namespace kith::rpc {

// The index is first written into a file, without holding up searches, and then sent from it.
DownloadCall<v1::ExportResponse>::Messages ExportMessages(const Context& context, const std::string& name);

// The generation is held until its last row is sent.
DownloadCall<v1::GetFramesResponse>::Messages FrameMessages(const v1::GetFramesRequest& request);

// What RVC would call the index file of an experiment: added_IVF185_Flat_nprobe_1_NAME_v2.index for its own kind (IVF,
// Flat over 256 or 768 values), else NAME.index. Characters that file systems do not take become '_'.
std::string ExportFileName(const std::string& name, const retrieval::Index& index);

}  // namespace kith::rpc
