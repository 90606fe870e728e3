#include <gradus/models/formats/c_header.h>

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/models/field_aware.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

namespace gradus {

namespace {

// A text as a literal of C: what is not plain, and the marks of trigraphs, as octal escapes.
std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const bool plain = c >= ' ' && c < '\x7f' && c != '"' && c != '\\' && c != '?';
    out += plain ? std::string(1, c) : fmt::format("\\{:03o}", static_cast<unsigned char>(c));
  }
  return out + "\"";
}

class Writer {
 public:
  Writer(const TrainedModel& model, std::string_view name)
      : model_(model), options_(model.options), name_(name), upper_(name) {
    for (char& c : upper_) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (model.columns.field) fields_ = count_fields("to_c_header", *model.columns.field, model.columns.count);
  }

  std::string written() {
    head();
    parameters();
    if (model_.columns.table && model_.columns.table->hash_bits() == 0) features();
    predict();
    add("\n#endif\n");
    return std::move(text_);
  }

 private:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    text_ += fmt::format(format, std::forward<Args>(args)...);
  }

  bool is(ModelKind kind) const { return options_.kind == kind; }
  std::int64_t outputs() const { return std::max<std::int64_t>(std::ssize(model_.classes), 1); }

  void head() {
    add("/* A model of the kind {} for {}, {} features; made by gradus {}. C99, without dependencies.\n\n",
        to_string(options_.kind), to_string(*options_.task), model_.columns.count, GRADUS_VERSION);
    add("   {0}_predict(column, value, count, out) tells of a row what fm predict does, to 1e-6 of its greatest term:\n"
        "   `count` columns that are not 0, each once, counted from 0, and their values; -1 is a column that the model "
        "does\n"
        "   not know, and counts as nothing.",
        name_);
    if (options_.task == Task::multiclass) add(" out has the probability of each of {}_classes.", name_);
    if (options_.task == Task::binary) add(" out[0] is the probability of {}.", model_.one_two ? 2 : 1);
    if (model_.samples.count() > 0)
      add(" The parameters are the means of {} samples, of which\n   fm predict tells the mean prediction instead.",
          model_.samples.count());
    add(" */\n#ifndef {0}_MODEL_H\n#define {0}_MODEL_H\n\n#include <math.h>\n#include <string.h>\n\n", upper_);
    add("#define {0}_FEATURES {1}\n#define {0}_OUTPUTS {2}\n\n", upper_, model_.columns.count, outputs());
  }

  template <class T>
  void array(std::string_view type, std::string_view name, std::span<const T> numbers) {
    add("static const {} {}_{}[] = {{", type, name_, name);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if constexpr (std::is_same_v<T, float>) {
        if (!std::isfinite(numbers[i])) fail<ValueError>("to_c_header: {} has a value that is not finite", name);
        std::string number = fmt::format("{:.9g}", numbers[i]);
        if (number.find_first_of(".e") == std::string::npos) number += ".0";
        add("{}{}f", i == 0 ? "" : i % 8 == 0 ? ",\n  " : ", ", number);
      } else {
        add("{}{}", i == 0 ? "" : i % 16 == 0 ? ",\n  " : ", ", numbers[i]);
      }
    }
    add("}};\n");
  }

  void parameters() {
    for (const auto& [name, tensor] : model_.parameters) {
      std::string plain = name;  // "deep/W1"
      std::replace(plain.begin(), plain.end(), '/', '_');
      array("float", plain, tensor.span<float>());
    }
    if (model_.scale.size() > 0) array("float", "scale", model_.scale.span<float>());
    if (needs_fields()) array("int", "field", std::span<const Index>(*model_.columns.field));
    if (model_.classes.empty()) return;
    add("static const char *const {}_classes[] = {{", name_);
    for (std::size_t c = 0; c < model_.classes.size(); ++c) add("{}{}", c == 0 ? "" : ", ", literal(model_.classes[c]));
    add("}};\n");
  }
  bool needs_fields() const { return goes_by_fields(model_.options.kind); }

  // The columns of x by the names of the table's columns and their categories, in the order of strcmp.
  void features() {
    struct Feature {
      std::string column, category;
      Index feature;
    };
    std::vector<Feature> all;
    const FeatureTable& table = *model_.columns.table;
    for (std::size_t c = 0; c < table.columns().size(); ++c) {
      const TableColumn& column = table.columns()[c];
      if (column.kind == ColumnKind::numeric) all.push_back({column.name, "", table.feature(c)});
      if (column.kind == ColumnKind::categorical)
        for (const std::string& category : column.categories)
          all.push_back({column.name, category, table.feature(c, category)});
    }
    // C's strings end at a zero.
    std::erase_if(all, [](const Feature& each) {
      return each.column.find('\0') != std::string::npos || each.category.find('\0') != std::string::npos;
    });
    std::sort(all.begin(), all.end(), [](const Feature& a, const Feature& b) {
      return std::pair(std::string_view(a.column), std::string_view(a.category)) <
             std::pair(std::string_view(b.column), std::string_view(b.category));
    });
    add("\nstatic const struct {{\n  const char *column, *category;\n  int feature;\n}} {}_features[] = {{\n", name_);
    for (const Feature& each : all)
      add("  {{{}, {}, {}}},\n", literal(each.column), literal(each.category), each.feature);
    add("}};\n\n"
        "/* The column of x of a category of the table's column, or of a column of numbers and \"\"; -1 where it is "
        "none. */\n"
        "static inline int {0}_feature(const char *column, const char *category) {{\n"
        "  int first = 0, last = {1};\n"
        "  while (first < last) {{\n"
        "    const int middle = first + (last - first) / 2;\n"
        "    int order = strcmp({0}_features[middle].column, column);\n"
        "    if (order == 0) order = strcmp({0}_features[middle].category, category);\n"
        "    if (order == 0) return {0}_features[middle].feature;\n"
        "    if (order < 0)\n      first = middle + 1;\n    else\n      last = middle;\n"
        "  }}\n  return -1;\n}}\n",
        name_, all.size());
  }

  // A loop over the columns of the row: c is the column, x its value.
  void each_column(std::string_view index, std::string_view from, std::string_view body) {
    const std::string scaled = model_.scale.size() > 0
                                   ? fmt::format("value[{0}] / {1}_scale[column[{0}]]", index, name_)
                                   : fmt::format("value[{}]", index);
    add("    for ({0} = {1}; {0} < count; ++{0})\n      if (column[{0}] >= 0 && column[{0}] < {2}_FEATURES) {{\n"
        "        const int c{0} = column[{0}];\n        const double x{0} = (double)({3});\n{4}      }}\n",
        index, from, upper_, scaled, body);
  }

  void predict() {
    add("\nstatic inline void {}_predict(const int *column, const float *value, int count, float *out) {{\n", name_);
    if (options_.task == Task::multiclass) {
      predict_classes();
    } else {
      add("  int i;\n  double y = {}_w0[0];\n  {{\n", name_);
      each_column("i", "0", fmt::format("        y += {}_W[ci] * xi;\n", name_));
      add("  }}\n");
      switch (options_.kind) {
        case ModelKind::linear: break;
        case ModelKind::deep:
          add_interactions(2);
          add_network();
          break;
        case ModelKind::fm: add_interactions(2); break;
        case ModelKind::higher_order: add_interactions(static_cast<int>(options_.order)); break;
        case ModelKind::field_aware: add_field_pairs(); break;
      }
      add_output();
    }
    add("}}\n");
  }

  // sum of A_m(v_f, x) over the factors and m = 2, ..., order, by Newton's identities (models/higher_order.h).
  void add_interactions(int order) {
    add("  {{\n    int f;\n    for (f = 0; f < {}; ++f) {{\n    double p[{}] = {{0}}, a[{}] = {{1}};\n    int m, t;\n",
        options_.factors, order + 1, order + 1);
    each_column("i", "0",
                fmt::format("        const double z = {}_V[ci * {} + f] * xi;\n        double power = z;\n"
                            "        for (t = 1; t <= {}; ++t, power *= z) p[t] += power;\n",
                            name_, options_.factors, order));
    add("    for (m = 1; m <= {}; ++m) {{\n      a[m] = 0;\n"
        "      for (t = 1; t <= m; ++t) a[m] += (t % 2 == 1 ? 1 : -1) * a[m - t] * p[t];\n"
        "      a[m] /= m;\n      if (m > 1) y += a[m];\n    }}\n    }}\n  }}\n",
        order);
  }

  // sum of <v_i,f(j), v_j,f(i)> x_i x_j over the pairs.
  void add_field_pairs() {
    add("  {{\n    int j, f;\n");
    const std::string product = fmt::format(
        "        if ({0}_field[ci] >= 0 && {0}_field[cj] >= 0)\n"
        "          for (f = 0; f < {1}; ++f)\n"
        "            y += (double){0}_V[(ci * {2} + {0}_field[cj]) * {1} + f] *\n"
        "                 {0}_V[(cj * {2} + {0}_field[ci]) * {1} + f] * xi * xj;\n",
        name_, options_.factors, fields_);
    std::string inner;
    std::swap(inner, text_);
    each_column("j", "i + 1", product);
    std::swap(inner, text_);
    each_column("i", "0", inner);
    add("  }}\n");
  }

  // The layers over the sums of each field's vectors (models/deep.h).
  void add_network() {
    const std::int64_t k = options_.factors;
    std::int64_t units = fields_ * k;
    add("  {{\n    int f{};\n    double layer0[{}] = {{0}};\n", options_.hidden.empty() ? "" : ", u", units);
    each_column("i", "0",
                fmt::format("        if ({0}_field[ci] >= 0)\n          for (f = 0; f < {1}; ++f)\n"
                            "            layer0[{0}_field[ci] * {1} + f] += {0}_V[ci * {1} + f] * xi;\n",
                            name_, k));
    std::size_t layer = 0;
    for (const std::int64_t next : options_.hidden) {
      add("    double layer{}[{}];\n", layer + 1, next);
      add("    for (u = 0; u < {0}; ++u) {{\n      double sum = {1}_deep_b{2}[u];\n"
          "      for (f = 0; f < {3}; ++f) sum += layer{4}[f] * {1}_deep_W{2}[f * {0} + u];\n"
          "      layer{2}[u] = sum > 0 ? sum : 0;\n    }}\n",
          next, name_, layer + 1, units, layer);
      units = next;
      ++layer;
    }
    add("    for (f = 0; f < {}; ++f) y += layer{}[f] * {}_deep_W{}[f];\n  }}\n", units, layer, name_, layer + 1);
  }

  void add_output() {
    const auto& [mean, deviation] = model_.target_scale;
    switch (*options_.task) {
      case Task::binary:
        add("  out[0] = (float)({});\n",
            visits_parameters(options_) ? "0.5 * erfc(-y / sqrt(2.0))" : "1 / (1 + exp(-y))");
        return;
      case Task::regression:
        add("  y = {:.17g} + {:.17g} * y;\n", mean, deviation);
        if (options_.clip_predictions)
          add("  y = y < {0:.17g} ? {0:.17g} : y > {1:.17g} ? {1:.17g} : y;\n", model_.target_range.least,
              model_.target_range.greatest);
        break;
      case Task::ranking:
      case Task::multiclass: break;
    }
    add("  out[0] = (float)y;\n");
  }

  // The logits of each class, and their softmax (models/multiclass.h).
  void predict_classes() {
    const std::int64_t classes = outputs(), k = options_.factors;
    add("  double logit[{0}], most, sum = 0;\n  int d, i;\n  for (d = 0; d < {0}; ++d) {{\n    double y = {1}_w0[d];\n",
        classes, name_);
    each_column("i", "0", fmt::format("        y += {}_W[ci * {} + d] * xi;\n", name_, classes));
    if (!is(ModelKind::linear)) {
      add("    {{\n    int f;\n    for (f = 0; f < {}; ++f) {{\n    double s = 0, q = 0;\n", k);
      each_column(
          "i", "0",
          fmt::format(
              "        const double z = {}_V[(ci * {} + d) * {} + f] * xi;\n        s += z;\n        q += z * z;\n",
              name_, classes, k));
      add("    y += 0.5 * (s * s - q);\n    }}\n    }}\n");
    }
    add("    logit[d] = y;\n  }}\n  most = logit[0];\n"
        "  for (d = 1; d < {0}; ++d) most = logit[d] > most ? logit[d] : most;\n"
        "  for (d = 0; d < {0}; ++d) sum += exp(logit[d] - most);\n"
        "  for (d = 0; d < {0}; ++d) out[d] = (float)(exp(logit[d] - most) / sum);\n",
        classes);
  }

  const TrainedModel& model_;
  const TrainingOptions& options_;
  std::string name_, upper_;
  std::int64_t fields_ = 0;
  std::string text_;
};

bool is_identifier(std::string_view name) {
  const auto fits = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::all_of(name.begin(), name.end(), fits);
}

}  // namespace

std::string to_c_header(const TrainedModel& model, std::string_view name) {
  if (!is_identifier(name))
    fail<ValueError>("to_c_header: \"{}\" is no name in C; letters, digits and _ are expected, as in model.h", name);
  const TrainedModel plain = folded(model);
  return Writer(plain, name).written();
}

void write_c_header(const std::string& path, const TrainedModel& model) {
  std::string_view name(path);
  name.remove_prefix(name.rfind('/') + 1);
  const std::string text = to_c_header(model, name.substr(0, name.find('.')));
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

}  // namespace gradus
