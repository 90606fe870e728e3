#include <gradus/models/data/detail/relations_file.h>

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/core/io/json.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

namespace gradus {

namespace {

constexpr const char* relations_key = "relations";
constexpr std::string_view prefix = "relations/";

std::string named(std::size_t block, std::string_view part) { return fmt::format("{}{}/{}", prefix, block, part); }

// Reads the blocks of one file, each of which may be wrong.
class RelationsReader {
 public:
  RelationsReader(const SafeTensors& file, const Columns& columns, const std::string& path)
      : file_(file), columns_(columns), path_(path) {}

  std::shared_ptr<const Relations> read(const std::string& text) const {
    const Json json = parse_json(text);
    if (!json.is_array() || json.empty()) damaged("its relations are not a list");
    if (!columns_.table) damaged("it has relations but no feature table");
    Relations out;
    for (std::size_t i = 0; i < json.size(); ++i) out.blocks.push_back(block(json[i], i));
    const std::size_t tensors = 3 * out.blocks.size();
    const auto found = std::count_if(file_.tensors.begin(), file_.tensors.end(),
                                     [](const auto& each) { return is_of_relations(each.first); });
    if (static_cast<std::size_t>(found) != tensors)
      damaged(fmt::format("it has {} tensors of relations; {} are expected", found, tensors));
    if (columns_.count + out.features() > max_sparse_dimension) damaged("its relations have too many features");
    return std::make_shared<const Relations>(std::move(out));
  }

 private:
  [[noreturn]] void damaged(std::string_view what) const { fail_damaged(path_, what); }

  const Tensor& tensor(std::size_t block, std::string_view part, DType dtype) const {
    const std::string name = named(block, part);
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) damaged(fmt::format("it lacks {}", name));
    if (found->second.dtype() != dtype || found->second.rank() != 1)
      damaged(fmt::format("{} is {}; a list of {} is expected", name, found->second.type(), dtype));
    return found->second;
  }

  RelationBlock block(const Json& json, std::size_t i) const {
    const auto text = [&](const char* key) -> std::string {
      const auto found = json.is_object() ? json.find(key) : json.end();
      if (!json.is_object() || found == json.end()) return "";
      return found->is_string() ? found->get<std::string>() : to_text(*found);
    };
    RelationBlock out;
    out.key = text("key");
    out.of = text("of");
    out.source = text("source");
    out.table = std::make_shared<const FeatureTable>(feature_table_from_json(text("table"), path_));
    if (out.table->hash_bits() > 0) damaged("a relation has hashed categories");
    std::size_t key = 0;
    try {
      key = key_column(*columns_.table, out.key, path_, "a relation");
    } catch (const ValueError& error) {
      fail<IoError>("{}", error.what());
    }
    out.first = columns_.table->feature(key);
    const auto pattern = std::make_shared<CsrPattern>();
    pattern->rows = std::ssize(columns_.table->columns()[key].categories);
    pattern->columns = out.table->features();
    const auto length = tensor(i, "length", int32).span<Index>();
    const Tensor &column = tensor(i, "column", int32), &value = tensor(i, "value", float32);
    if (std::ssize(length) != pattern->rows || column.size() != value.size())
      damaged(fmt::format("the lines of relation {} do not fit its key or one another", i));
    for (const Index each : length) pattern->row_start.push_back(pattern->row_start.back() + each);
    pattern->set_column({column.span<Index>().begin(), column.span<Index>().end()});
    try {
      pattern->check();
    } catch (const ValueError& error) {
      damaged(fmt::format("relation {}: {}", i, error.what()));
    }
    const auto values = value.span<float>();
    if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); }))
      damaged(fmt::format("relation {} has a value that is no finite number", i));
    out.lines = Tensor::csr(pattern, value);
    return out;
  }

  const SafeTensors& file_;
  const Columns& columns_;
  const std::string& path_;
};

}  // namespace

void add_relations(SafeTensors& file, const Relations* relations) {
  if (relations == nullptr) return;
  Json json = Json::array();
  for (std::size_t i = 0; i < relations->blocks.size(); ++i) {
    const RelationBlock& block = relations->blocks[i];
    const CsrPattern& lines = *block.lines.pattern();
    std::vector<Index> length;
    for (std::size_t line = 0; line < static_cast<std::size_t>(lines.rows); ++line)
      length.push_back(static_cast<Index>(lines.row_start[line + 1] - lines.row_start[line]));
    file.tensors.emplace(named(i, "length"), Tensor::from(length));
    file.tensors.emplace(named(i, "column"),
                         Tensor::from(std::vector<Index>(lines.column.begin(), lines.column.end())));
    file.tensors.emplace(named(i, "value"), block.lines.values());
    Json one{{"key", block.key}};
    if (block.is_implicit()) one["of"] = block.of;
    if (!block.source.empty()) one["source"] = block.source;
    one["table"] = parse_json(to_json(*block.table));
    json.push_back(std::move(one));
  }
  file.metadata.emplace(relations_key, to_text(json));
}

std::shared_ptr<const Relations> relations_in(const SafeTensors& file, const Columns& columns,
                                              const std::string& path) {
  const auto found = file.metadata.find(relations_key);
  if (found != file.metadata.end()) return RelationsReader(file, columns, path).read(found->second);
  if (std::any_of(file.tensors.begin(), file.tensors.end(),
                  [](const auto& each) { return is_of_relations(each.first); }))
    fail<IoError>("{}: is damaged: it has tensors of relations but does not say of which", path);
  return nullptr;
}

bool is_of_relations(std::string_view tensor) { return tensor.starts_with(prefix); }

}  // namespace gradus
