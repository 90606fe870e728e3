// Tables that are joined to rows: users.csv with a record for each user, whose columns the rows of that user have. They
// become relation blocks (relations.h). u.user and u.item of MovieLens, which name no columns, are known by their
// cells: user, age, gender, occupation, zip; and item, genre (several a cell), of which genres alone are read.
#pragma once

#include <gradus/models/data/read.h>
#include <gradus/models/data/relations.h>

#include <memory>
#include <string>
#include <vector>

namespace gradus {

struct JoinedFile {
  std::string path;
  std::string key;  // the column that it and the rows have, by which a row's record is found
};

struct JoinedTable {
  std::string name;  // of the file
  std::string key;
  std::shared_ptr<const FeatureTable> table;
  std::shared_ptr<const std::vector<ColumnFinding>> findings;
  Tensor x;                                // csr float32 [records, features of the table]
  KeptColumn key_cells;                    // of each record
  std::vector<std::int64_t> missing = {};  // as in ReadRows
  Tensor scale = {};                       // what its block's columns are divided by   [features]; [0]: nothing
};

/// Reads a file. The names of its columns among categorical, numeric, ignored and multi of `read` are for it, and are
/// taken out there; of the other options it goes by form, separator and threads. Throws IoError for a file without the
/// key, or with a key twice, and as readers do.
JoinedTable read_joined(const JoinedFile& file, ReadOptions& read);

/// Its lines by the categories of the key in the rows' table; a category without a record has an empty one. Throws
/// ValueError, which begins with `name`, for a key that the rows cannot have (key_column), and for a column whose name
/// they, or the blocks before it, have too.
RelationBlock joined_block(const JoinedTable& joined, const FeatureTable& rows, const Relations& before,
                           const std::string& name);

}  // namespace gradus
