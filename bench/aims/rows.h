// The rows of the table, in groups that can be chosen. Each measures both of its sides in turns, in this process and in
// a kithd of the stage, and tells the report.
#pragma once

#include "bench/aims/report.h"
#include "bench/aims/stage.h"

namespace kith::bench {

// block_time_rows.cc: a block of 16 rows over a stream beside the baseline.
void TypicalVoiceRows(Stage& stage, Report& report);  // N 30,000; and as a call of its own beside the stream
void LargeVoiceRows(Stage& stage, Report& report);    // N 100,000
void ShortVoiceRows(Stage& stage, Report& report);    // N 7,253: real frames where they are at hand

// recall_rows.cc
void RecallRows(Stage& stage, Report& report);  // on real frames, asked with other speakers'
void AutoRows(Stage& stage, Report& report);    // the recipe auto beside the baseline at nprobe 1

// beside_rows.cc: the time of searches while the server does something else.
void BesideTrainRows(Stage& stage, Report& report);
void BesideAddRows(Stage& stage, Report& report);

// training_rows.cc
void TrainingRows(Stage& stage, Report& report);

// load_rows.cc
void ServerCpuRows(Stage& stage, Report& report);  // 64 clients at once
void RealTimeRows(Stage& stage, Report& report);   // 1,000 streams in real time, one core for the server

// overload_rows.cc
void OverloadRows(Stage& stage, Report& report);  // up to three times what fits, and one client that floods

// idle_stream_rows.cc
void IdleStreamRows(Stage& stage, Report& report);

// memory_rows.cc
void MemoryRows(Stage& stage, Report& report);

}  // namespace kith::bench
