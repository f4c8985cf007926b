// Keeps the files that a process has open from the program that it turns into.
#pragma once

namespace kith {

// Marks every file descriptor from `first` on to be closed by exec. False, with errno, where that cannot be done. Safe
// between fork and exec: it allocates nothing and takes no lock.
bool CloseOnExecFrom(int first);

// The same on kernels before 5.11, and where a sandbox forbids close_range: by the list in /proc/self/fd.
bool CloseOnExecByProc(int first);

}  // namespace kith
