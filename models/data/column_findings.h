// What was found out of the columns of a table, to be told to whoever trains on it.
#pragma once

#include <gradus/models/data/table.h>

#include <cstdint>
#include <string>

namespace gradus {

/// A column, what it was taken for, and why.
struct ColumnFinding {
  std::string name;
  ColumnKind kind = ColumnKind::ignored;
  std::string why;              // "whole numbers, 943 different"; "0.5 to 99.9, 12 missing"
  std::int64_t different = -1;  // categories; -1: not counted
  std::int64_t missing = 0;     // unknown cells of a numeric column
  bool large = false;           // numbers such as timestamps, which have to be scaled to be learnt from
};

/// "userid (category: whole numbers, 943 different)".
std::string to_string(const ColumnFinding& finding);

}  // namespace gradus
