// Relation blocks: columns that rows have by way of one of their categories, as the age of a row's user or the items
// that its user has (Rendle, "Scaling Factorization Machines to Relational Data", VLDB 2013). A block has a line of
// them for each category of a column of the rows' table, its key; rows are never widened by it. Since a category has a
// column of X [n, c] already, all blocks together are a matrix B [c, q] on the columns of X:
//   what a row has = x [I B],  features 0 to c - 1 as they were read, and c to c + q - 1 by way of them
// A key has one category a row, whose x is 1, so that (x [I B])^2 = x^2 [I B^2].
#pragma once

#include <gradus/core/tensor/tensor.h>
#include <gradus/models/data/row_blocks.h>
#include <gradus/models/data/table.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

struct RelationBlock {
  std::string key;                                 // a categorical column of the rows' table
  std::string of = {};                             // of an implicit block the column whose categories it counts
  std::string source = {};                         // of a joined table its file, for messages
  std::shared_ptr<const FeatureTable> table = {};  // of its features
  Index first = 0;                                 // the column of X that the key's first category has
  Tensor lines = {};                               // csr float32 [categories of the key, features]

  bool is_implicit() const { return !of.empty(); }
};

struct Relations {
  std::vector<RelationBlock> blocks;

  /// q
  std::int64_t features() const;
  /// "user:item=50" of an implicit block, "age" or "genre=Comedy" of a joined table.   0 <= feature < features()
  std::string name(std::int64_t feature) const;
  /// The feature of that name; -1 where there is none.
  std::int64_t find(std::string_view name) const;
  /// The columns of the blocks' tables that features are of, counted from `first`.   [q]
  std::vector<Index> fields(Index first) const;
  /// B over `columns` columns of X.   csr float32 [columns, q]
  Tensor matrix(std::int64_t columns) const;
  /// A CRC-32 of names, lines and values.
  std::uint32_t fingerprint() const;
};

/// "user:item" as the key user and the other column, item. Throws ValueError where it is not two different names.
struct ImplicitColumns {
  std::string key, of;
};
ImplicitColumns implicit_columns_named(std::string_view text);

/// Which categories of one column the rows have beside each category of the key: each of m has the value 1/sqrt(m), as
/// in SVD++ (Koren, KDD 2008). Rows that a model is validated or tested on must not be among `rows`. Throws ValueError,
/// beginning with `name`, for columns that are not there, not categorical or hashed, and a key with several values a
/// cell.
RelationBlock implicit_block(const ImplicitColumns& columns, const FeatureTable& table, const RowBlocks& rows,
                             const std::string& name);

/// The joined blocks of some relations (which may be null), and an implicit one for each text of `implicit`, made of
/// these rows; null where there is none at all. Throws as implicit_block does, and where the rows have no table.
std::shared_ptr<const Relations> with_implicit(const std::shared_ptr<const Relations>& relations,
                                               const std::vector<std::string>& implicit, const FeatureTable* table,
                                               const RowBlocks& rows, const std::string& name);

/// The number of a column that can be a key; throws as implicit_block does. `what` says what it is asked for.
std::size_t key_column(const FeatureTable& table, std::string_view key, const std::string& name, std::string_view what);

}  // namespace gradus
