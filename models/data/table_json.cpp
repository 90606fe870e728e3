// Feature tables as JSON text. What is read may come from anybody, so it is checked before it is believed.
#include <gradus/core/error.h>
#include <gradus/core/io/json.h>
#include <gradus/models/data/detail/number_text.h>
#include <gradus/models/data/table.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace gradus {

namespace {

constexpr int table_version = 1;

constexpr std::array kinds = {ColumnKind::ignored, ColumnKind::target, ColumnKind::weight, ColumnKind::numeric,
                              ColumnKind::categorical};

// JSON holds only UTF-8; what is not is written byte by byte. dump() is what knows the difference.
Json text_to_json(const std::string& text) {
  Json json(text);
  try {
    (void)to_text(json);
    return json;
  } catch (const Json::type_error&) {
    std::string characters;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x80) {
        characters += c;
      } else {
        characters += static_cast<char>(0xc0 | (byte >> 6));
        characters += static_cast<char>(0x80 | (byte & 0x3f));
      }
    }
    return Json{{"bytes", characters}};
  }
}

// Reads one table; `name_` begins what it says.
class TableParser {
 public:
  explicit TableParser(const std::string& name) : name_(name) {}

  FeatureTable parse(std::string_view whole) const {
    const Json json = parse_json(whole);
    if (json.is_discarded()) malformed("it is not JSON");
    if (!json.is_object()) malformed("an object is expected");
    const std::int64_t found = number(json, "version");
    if (found != table_version) malformed(fmt::format("its version is {}; {} is expected", found, table_version));
    const std::int64_t hash_bits = number(json, "hash_bits");
    if (hash_bits < 0 || hash_bits > FeatureTable::most_hash_bits)
      malformed(fmt::format("hash_bits is {}; 0 to {} are expected", hash_bits, FeatureTable::most_hash_bits));
    std::vector<TableColumn> columns;
    for (const Json& column : list(json, "columns")) columns.push_back(one_column(column));
    CellForm form;
    if (json.contains("decimal")) form.decimal = text(json["decimal"]) == "," ? ',' : '.';
    if (json.contains("missing"))
      for (const Json& word : list(json, "missing")) form.missing.push_back(text(word));
    form.no_header = json.contains("no_header") && json["no_header"] == true;
    try {
      return FeatureTable(std::move(columns), static_cast<int>(hash_bits), std::move(form));
    } catch (const ValueError& error) {
      malformed(error.what());
    }
  }

 private:
  [[noreturn]] void malformed(std::string_view what) const {
    fail<IoError>("{}: is not a feature table: {}", name_, what);
  }

  const Json& member(const Json& object, const char* key) const {
    const auto found = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || found == object.end()) malformed(fmt::format("\"{}\" is missing", key));
    return *found;
  }
  std::int64_t number(const Json& object, const char* key) const {
    const Json& json = member(object, key);
    if (!json.is_number_integer()) malformed(fmt::format("\"{}\" is not a whole number", key));
    return json.get<std::int64_t>();
  }
  const Json& list(const Json& object, const char* key) const {
    const Json& json = member(object, key);
    if (!json.is_array()) malformed(fmt::format("\"{}\" is not a list", key));
    return json;
  }

  std::string text(const Json& json) const {
    if (json.is_string()) return json.get<std::string>();
    const Json& characters = member(json, "bytes");
    if (!characters.is_string()) malformed("\"bytes\" is not a text");
    std::string bytes;
    const auto utf8 = characters.get<std::string>();  // the parser has checked that it is
    for (std::size_t i = 0; i < utf8.size(); ++i) {
      const auto byte = static_cast<unsigned char>(utf8[i]);
      if (byte < 0x80) {
        bytes += utf8[i];
      } else if (byte < 0xc4) {
        bytes += static_cast<char>(((byte & 3) << 6) | (static_cast<unsigned char>(utf8[++i]) & 0x3f));
      } else {
        malformed("\"bytes\" holds a character beyond 255");
      }
    }
    return bytes;
  }

  TableColumn one_column(const Json& json) const {
    TableColumn column;
    column.name = text(member(json, "name"));
    const std::string kind = text(member(json, "kind"));
    const auto* const found =
        std::find_if(kinds.begin(), kinds.end(), [&](ColumnKind each) { return to_string(each) == kind; });
    if (found == kinds.end())
      malformed(fmt::format("column {} is of kind {}", in_quotes(column.name), in_quotes(kind)));
    column.kind = *found;
    if (json.contains("categories"))
      for (const Json& category : list(json, "categories")) column.categories.push_back(text(category));
    if (json.contains("separator")) column.separator = text(json["separator"]);
    return column;
  }

  const std::string& name_;
};

}  // namespace

std::string to_json(const FeatureTable& table) {
  Json columns = Json::array();
  for (const TableColumn& column : table.columns()) {
    Json json{{"name", text_to_json(column.name)}, {"kind", to_string(column.kind)}};
    if (!column.categories.empty()) {
      Json categories = Json::array();
      for (const std::string& category : column.categories) categories.push_back(text_to_json(category));
      json["categories"] = std::move(categories);
    }
    if (!column.separator.empty()) json["separator"] = text_to_json(column.separator);
    columns.push_back(std::move(json));
  }
  Json out{{"version", table_version}, {"hash_bits", table.hash_bits()}, {"columns", std::move(columns)}};
  const CellForm& form = table.form();
  if (form.decimal != '.') out["decimal"] = std::string(1, form.decimal);
  for (const std::string& word : form.missing) out["missing"].push_back(text_to_json(word));
  if (form.no_header) out["no_header"] = true;
  return to_text(out);
}

FeatureTable feature_table_from_json(std::string_view json, const std::string& name) {
  return TableParser(name).parse(json);
}

}  // namespace gradus
