// Writes the C++ of the kernels that are compiled with Gradus (core/kernel/known_kernels.h): the updates of tables'
// rows in the training steps of the shipped models with the shipped optimizers, in float32. CMake runs it while Gradus
// is built.
//   make_known_kernels CODE.cpp TABLE.cpp
#include <gradus/core/io/file.h>
#include <gradus/core/kernel/known_kernels.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/sparse.h>
#include <gradus/models/training/training_step.h>

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <vector>

namespace gradus {

// None in this program, which makes them.
std::span<const KnownKernel> known_kernels() { return {}; }

namespace {

constexpr std::int64_t features = 1000;

// With a rate that is no other number's, which a plan would read once for both; of Adadelta with its usual one, 1, too,
// by which a plan does not multiply.
std::vector<TrainingOptions> optimizers() {
  std::vector<TrainingOptions> all{{.optimizer = Learner::adadelta, .rate = 1}};
  for (const Learner learner : {Learner::sgd, Learner::momentum, Learner::adagrad, Learner::adadelta, Learner::rmsprop,
                                Learner::adam, Learner::adamw, Learner::ftrl})
    all.push_back({.optimizer = learner});
  all.push_back({.optimizer = Learner::momentum, .nesterov = true});
  all.push_back({.optimizer = Learner::rmsprop, .centered = true});
  for (TrainingOptions& options : all)
    if (options.rate == 0) options.rate = 0.05;
  return all;
}

// Of few rows and of as many as half of the features; `ones` where these are categories. (Parts of a 14th and a 434th
// are numbers that no formula has by itself.)
constexpr std::int64_t batches[] = {14, 434};
Tensor some_rows(std::int64_t rows, bool ones) {
  std::vector<std::int64_t> start{0}, column;
  for (std::int64_t row = 0; row < rows; ++row) {
    column.insert(column.end(), {row, row + 500});
    start.push_back(2 * (row + 1));
  }
  return Tensor::csr(rows, features, start, column, std::vector<float>(column.size(), ones ? 1.0F : 0.5F));
}

class Known {
 public:
  void add(const ModelOptions& options, const TrainingOptions& optimizer, bool ones) {
    Graph g;
    const Model model = make_model(g, features, options);
    const Expr step = training_step(model.loss, model.parameters, optimizer, 1).run;
    Session session(g, Device::cpu(), {.threads = 1});
    const Expr fetches[] = {step, model.error};
    for (const std::int64_t rows : batches) {
      const Tensor targets = Tensor::from(std::vector<float>(static_cast<std::size_t>(rows), 1), Shape{rows, 1});
      for (const StepKernel& kernel :
           session.steps(fetches, {{model.X, some_rows(rows, ones)}, {model.y, targets}}).kernels)
        if (!kernel.any_width.empty()) texts_.emplace(kernel.any_width, texts_.size());
    }
  }

  std::string code() const {
    std::string out = cpu_prelude() + "}\n";
    for (const auto& [text, number] : texts_) {
      const std::string name = "gradus_kernel";
      const std::size_t end = text.find(name) + name.size();
      out += fmt::format("namespace kernel{0} {{\nnamespace {{\n{1}{0}{2}}}\n", number, text.substr(0, end),
                         text.substr(end));
    }
    return out;
  }

  std::string table() const {
    std::string functions, rows;
    for (const auto& [text, number] : texts_) {
      functions += fmt::format(
          "void gradus_kernel{}(std::int64_t, const void* const*, void* const*, const gradus::Index*, std::int64_t, "
          "std::int64_t);\n",
          number);
      rows += fmt::format("    {{R\"text({})text\", gradus_kernel{}}},\n", text, number);
    }
    return fmt::format(
        "#include <gradus/core/kernel/known_kernels.h>\n\nextern \"C\" {{\n{}}}\n\n"
        "std::span<const gradus::KnownKernel> gradus::known_kernels() {{\n"
        "  static const KnownKernel kernels[] = {{\n{}  }};\n  return kernels;\n}}\n",
        functions, rows);
  }

  std::size_t size() const { return texts_.size(); }

 private:
  std::map<std::string, std::size_t> texts_;  // to their numbers
};

void write(const char* path, const std::string& text) { write_file_atomically(path, std::as_bytes(std::span(text))); }

// Regression and rankings update as binary tasks do, and linear models as the linear part of the others.
Known find_all() {
  Known known;
  std::vector<Index> field_of(features);
  for (std::size_t i = 0; i < field_of.size(); ++i) field_of[i] = static_cast<Index>(i % 4);
  for (const ModelKind kind : {ModelKind::fm, ModelKind::higher_order, ModelKind::field_aware, ModelKind::deep})
    for (const double l2 : {0.0, 0.01})
      for (const bool ones : {true, false})
        for (const TrainingOptions& optimizer : optimizers())
          known.add({.kind = kind,
                     .task = Task::binary,
                     .field_of = goes_by_fields(kind) ? field_of : std::vector<Index>(),
                     .l2_W = l2,
                     .l2_V = l2,
                     .l2_over = L2Over::touched},
                    optimizer, ones);
  return known;
}

}  // namespace
}  // namespace gradus

int main(int argc, char** argv) {
  try {
    if (argc != 3) return 2;
    const gradus::Known known = gradus::find_all();
    gradus::write(argv[1], known.code());
    gradus::write(argv[2], known.table());
    fmt::print("{} kernels\n", known.size());
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "make_known_kernels: {}\n", error.what());
    return 1;
  }
}
