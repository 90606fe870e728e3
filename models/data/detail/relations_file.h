// Relation blocks in a model file:
//   tensors    of block i: relations/i/length [categories of its key] (int32), the entries of each line,
//              relations/i/column and relations/i/value [entries] (int32, float32)
//   metadata   relations: JSON, a list of {"key": "user", "of": "item", "table": a feature table}, where a block of a
//              joined table has no "of"
#pragma once

#include <gradus/core/io/safetensors.h>
#include <gradus/models/data/columns.h>

#include <memory>
#include <string>
#include <string_view>

namespace gradus {

/// Adds them to a file; null: nothing.
void add_relations(SafeTensors& file, const Relations* relations);
/// Takes them back; null where the file has none. `columns` are those of the file. Throws IoError, "path: is damaged:
/// what is wrong", where they are not as they should be.
std::shared_ptr<const Relations> relations_in(const SafeTensors& file, const Columns& columns, const std::string& path);
/// Whether a tensor of that name is of relations.
bool is_of_relations(std::string_view tensor);

}  // namespace gradus
