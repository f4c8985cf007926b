// Failures on purpose, at named points: in front of each call that changes what is on disk.
//
// kithd has none of this. Only kithd_faulty, which the tests build of the same source with KITH_FAULTS (tests/crash),
// heeds the environment variable KITH_FAULT:
//
//   KITH_FAULT=POINT[:NTH[+]][=ACTION]     or     KITH_FAULT=@FILE, a file with that text
//
//   POINT    a name given to Fault, or `any`
//   NTH      which passing of the point fails, from 1, the default; with `+` all later ones fail as well
//   ACTION   kill (the default): the process ends by SIGKILL; enospc, eio, erofs: the call fails with that errno
//
// The file is read anew at each passing, and counting starts again whenever its text changes: so a test says when a
// fault comes and when it is over. A fault that strikes is told on stderr. Thread-safe.
#pragma once

namespace kith {

#ifdef KITH_FAULTS
// True where the call behind the point has to fail, with errno set; the call must then not be made.
bool Fault(const char* point);
#else
constexpr bool Fault(const char*) { return false; }
#endif

}  // namespace kith
