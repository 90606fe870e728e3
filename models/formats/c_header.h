// A trained model as one header of C99 that scores a row: tables of its parameters and a function, which need nothing
// but the C library. For services, phones, databases, wherever no library of ours is to be.
//
//   #include "m.h"
//   int column[] = {m_feature("user", "17"), m_feature("age", "")};
//   float value[] = {1, 33}, out[M_OUTPUTS];
//   m_predict(column, value, 2, out);
//
// What is told is what Predictor tells, to 1e-6 of the greatest of the terms that make it. Of mcmc the model is that of
// the mean of the samples' parameters, whose prediction is not the mean of theirs. Where columns are hashed, or sparse
// text was renumbered, it is for the caller to know their numbers.
#pragma once

#include <gradus/models/training/model_file.h>

#include <string>
#include <string_view>

namespace gradus {

/// The header; `name`, an identifier of C, begins the names in it. Throws ValueError where it is none, or a parameter
/// is not finite.
std::string to_c_header(const TrainedModel& model, std::string_view name);
/// Writes to_c_header to a file, whole or not at all, named after it: m of "lib/m.h". Throws as it does, and IoError.
void write_c_header(const std::string& path, const TrainedModel& model);

}  // namespace gradus
