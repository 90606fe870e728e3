// People's files as data sets: read block by block into memory that grows as they do, so that little more is used than
// the data take; targets and weights checked; and what a model must remember in order to read other files alike.
#pragma once

#include <gradus/models/data/dataset.h>
#include <gradus/models/data/read.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gradus {

struct DataFile {
  std::string path;  // "-": standard input
  ReadOptions read = {};
  std::string weights = {};  // a file of as many numbers, one a line; "": none
};

struct LoadedData {
  std::string name;  // of the file, for messages
  Format format = Format::guess;
  Dataset data;
  std::string target;  // its column, where columns have names
  std::shared_ptr<const FeatureTable> table;
  std::shared_ptr<const std::vector<Index>> field;  // [p]
  std::vector<std::int64_t> unseen, missing;        // as in Examples
};

/// Reads a file, which may be a binary cache. Of a table whose target is not named it is the column called target,
/// label, y, rating, class or click, else the last. Numbers of columns called user, item, movie, product, id, or that
/// end in _id, Id or ID, are categories unless they are named as numeric. Throws IoError and ValueError as the readers
/// do, and for weights that do not fit.
LoadedData load_data(const DataFile& file);

/// Opens a file as load_data does, to be read by blocks; says which format and target it has.
struct OpenedData {
  std::string name;
  Format format;
  std::string target;
  std::unique_ptr<ExampleSource> source;
};
OpenedData open_data(const DataFile& file);

/// Whether the targets are two classes: 0 and 1, or -1 and 1, and both occur.
bool are_classes(const Tensor& y);

/// Targets of a binary task, 0 and 1 or -1 and 1, as -1 and 1. Throws ValueError, naming the first other one.
Tensor classes(const Tensor& y, const std::string& name);

struct TargetRange {
  double least, greatest;
};
TargetRange range_of(const Tensor& y);

}  // namespace gradus
