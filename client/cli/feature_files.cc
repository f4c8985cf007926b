#include "client/cli/feature_files.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/progress.h"
#include "common/npy/npy.h"

namespace kith::cli {
namespace {

namespace fs = std::filesystem;

absl::Status AppendFolder(const std::string& folder, std::vector<std::string>* files) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".npy" && !entry->is_directory()) names.push_back(entry->path().filename());
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(folder, ": cannot be listed"));
  if (names.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": no .npy file in this folder; give RVC's 3_feature256 or 3_feature768 folder"));
  }
  std::sort(names.begin(), names.end());  // bytes, as Python's sorted() has it
  for (const std::string& name : names) files->push_back(fs::path(folder) / name);
  return absl::OkStatus();
}

absl::StatusOr<Frames> ReadFile(const std::string& file) {
  absl::StatusOr<npy::Matrix> matrix = npy::ReadMatrix(file);
  if (!matrix.ok()) return matrix.status();
  if (matrix->columns > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": ", matrix->columns, " columns are too many for a frame"));
  }
  return Frames{static_cast<int>(matrix->columns), std::move(matrix->values)};
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListFeatureFiles(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) return absl::NotFoundError(absl::StrCat(path, ": no such file or folder"));
    if (!fs::is_directory(status)) {
      files.push_back(path);
    } else if (absl::Status listed = AppendFolder(path, &files); !listed.ok()) {
      return listed;
    }
  }
  return files;
}

absl::StatusOr<FramesView> FeatureFiles::Next() {
  while (next_ < files_.size()) {
    if (cancellation_ != nullptr && cancellation_->cancelled()) return absl::CancelledError("interrupted");
    const std::string& file = files_[next_++];
    absl::StatusOr<Frames> frames = ReadFile(file);
    if (!frames.ok()) return frames.status();
    if (dimension_ == 0) {
      dimension_ = frames->dimension;
      first_file_ = file;
    }
    if (frames->dimension != dimension_) {
      return absl::InvalidArgumentError(absl::StrCat(file, ": frames of dimension ", frames->dimension, ", but ",
                                                     first_file_, " has ", dimension_,
                                                     "; all files must have the same"));
    }
    if (const int64_t row = FirstRowNotFinite(*frames); row >= 0) {
      return absl::InvalidArgumentError(absl::StrCat(file, ": row ", row, " has a NaN or an infinity"));
    }
    frames_ = *std::move(frames);
    if (frames_.rows() > 0) return FramesView(frames_);
  }
  return FramesView();
}

absl::Status FeatureFiles::Rewind() {
  next_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<Frames> LoadFrames(const std::string& path, const Cancellation* cancellation) {
  auto files = ListFeatureFiles({path});
  if (!files.ok()) return files.status();
  FeatureFiles source(*std::move(files), cancellation);
  Frames all;
  while (true) {
    auto frames = source.Next();
    if (!frames.ok()) return frames.status();
    if (frames->values.empty()) break;
    all.dimension = frames->dimension;
    all.values.insert(all.values.end(), frames->values.begin(), frames->values.end());
  }
  if (all.values.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": there are no frames in it"));
  return all;
}

absl::StatusOr<Frames> LoadFrames(const std::string& path, Context& context) {
  const Progress reading(context.err, context.err_is_terminal, "reading");
  return LoadFrames(path, &context.cancellation);
}

}  // namespace kith::cli
