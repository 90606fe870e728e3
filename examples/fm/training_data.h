// The data of fm train: what can be said wrong of their columns, and what is told before it learns.
#pragma once

#include "commands.h"

#include <gradus/models/training/training_set.h>

namespace fm {

/// Throws ValueError for joined and implicit columns that do not fit the other options, whatever the data are.
void check_joins(const TrainCommand& command);

void print_data(const gradus::TrainingSet& set, const TrainCommand& command);

}  // namespace fm
