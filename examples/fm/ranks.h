// The ranks of a training that mpirun has started: the first alone prints and writes files, and what ends one ends all.
#pragma once

#include "commands.h"

#include <string>

namespace fm {

/// Joins the other ranks, where a launcher of MPI has started this process; `command` is the one that is run. Throws
/// Error for a command that is for one process.
void join_ranks(const std::string& command, TrainCommand& train);
/// At the end, together.
void leave_ranks(TrainCommand& train);
/// Where an error has ended this rank: ends all, once the first rank, or failing that this one, has told it. Returns
/// where there are no ranks.
void end_ranks(const std::string& error);

}  // namespace fm
