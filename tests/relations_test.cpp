// Relation blocks: what rows have by way of a category is as if it were written into the rows; implicit columns are of
// the rows to learn from alone; model files keep blocks, and predict by them.
#include "refusal.h"
#include "scratch_file.h"

#include <gradus/core/io/safetensors.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/data/detail/columns_file.h>
#include <gradus/models/training/inspection.h>
#include <gradus/models/training/predictor.h>
#include <gradus/models/training/training_set.h>
#include <gradus/ops/gradients.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

using namespace gradus;

namespace {

// 11 users and 9 items, of which those of one parity like each other; the last user and the last item have few rows.
std::string takes_text(int rows, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string text = "user,item,rating\n";
  for (int i = 0; i < rows; ++i) {
    const auto user = i == 7 ? 11 : 1 + random() % 10, item = i == 7 ? 9 : 1 + random() % 8;
    text += fmt::format("u{},i{},{}\n", user, item, (user + item) % 2 * 2 + item % 3 + random() % 2);
  }
  return text;
}

constexpr const char* users_text =
    "user,age,sex,hobby\nu1,20,f,chess|go\nu2,40,m,go\nu3,60,f,\nu4,30,m,chess\nu5,20,f,go\nu6,25,m,go\nu7,52,f,chess\n"
    "u8,33,m,chess|go\nu9,41,f,go\nu10,28,m,go\nu99,1,f,go\n";

// Rows with all that they have by way of their categories written into them.
Rows written_out(const Rows& rows, const Relations& relations) {
  const Tensor B = relations.matrix(rows.x.dim(1));
  const CsrPattern &x = *rows.x.pattern(), &lines = *B.pattern();
  std::vector<std::int64_t> start{0}, column;
  std::vector<float> value;
  for (std::size_t n = 0; n < static_cast<std::size_t>(x.rows); ++n) {
    for (auto at = static_cast<std::size_t>(x.row_start[n]); at < static_cast<std::size_t>(x.row_start[n + 1]); ++at) {
      column.push_back(x.column[at]);
      value.push_back(rows.x.span<float>()[at]);
    }
    for (auto at = static_cast<std::size_t>(x.row_start[n]); at < static_cast<std::size_t>(x.row_start[n + 1]); ++at) {
      const auto i = static_cast<std::size_t>(x.column[at]);
      for (auto b = static_cast<std::size_t>(lines.row_start[i]); b < static_cast<std::size_t>(lines.row_start[i + 1]);
           ++b) {
        column.push_back(x.columns + lines.column[b]);
        value.push_back(B.span<float>()[b]);
      }
    }
    start.push_back(std::ssize(column));
  }
  return {Tensor::csr(x.rows, x.columns + lines.columns, start, column, value), rows.y, rows.weight};
}

struct Takes {
  explicit Takes(const TrainingOptions& of, int rows = 120)
      : file(takes_text(rows), ".csv"), users(users_text, ".csv"), options(of) {
    DataFile data;
    data.path = file.path();
    data.joined = {{users.path(), "user"}};
    data.read.multi = {"hobby"};
    set = load_training_set(data, {}, options);
  }

  ScratchFile file, users;
  TrainingOptions options;
  TrainingSet set;
};

TrainingOptions both_ways() {
  TrainingOptions options;
  options.task = Task::regression;
  options.factors = 3;
  options.epochs = 4;
  options.implicit = {"user:item", "item:user"};
  return options;
}

}  // namespace

TEST_CASE("what rows have by way of a category is as if it were written into them") {
  const Takes takes(both_ways());
  const Rows rows = takes.set.train->block(0);
  const Relations& relations = *takes.set.columns.relations;
  const Rows whole = written_out(rows, relations);
  const std::int64_t c = rows.x.dim(1), p = whole.x.dim(1);
  CHECK(p == takes.set.columns.features());
  for (const ModelKind kind : {ModelKind::linear, ModelKind::fm})
    for (const Task task : {Task::regression, Task::multiclass}) {
      ModelOptions options{.kind = kind, .task = task, .factors = 3, .init_stddev = 0.3, .seed = 2};
      options.l2_W = options.l2_V = 0.01;
      options.dtype = float64;
      options.classes = 5;
      Graph g;
      const Model of_all = make_model(g, p, options);
      Graph of_blocks;
      options.relations = relations.matrix(c);
      const Model model = make_model(of_blocks, c, options);
      Session a(g), b(of_blocks);
      for (std::size_t i = 0; i < model.parameters.size(); ++i) {
        REQUIRE(model.parameters[i].shape() == of_all.parameters[i].shape());
        const Tensor value = random_normal(model.parameters[i].shape(), {.seed = i, .dtype = float64});
        a.assign(of_all.parameters[i], value);
        b.assign(model.parameters[i], value);
      }
      const Tensor y = rows.y.cast(float64);
      const Feeds to_all{{of_all.X, whole.x.cast(float64)}, {of_all.y, y}};
      const Feeds to_blocks{{model.X, rows.x.cast(float64)}, {model.y, y}};
      CHECK(allclose(a.run(of_all.y_hat, to_all), b.run(model.y_hat, to_blocks), 1e-6, 1e-6));
      CHECK(a.run(of_all.loss, to_all).item() == doctest::Approx(b.run(model.loss, to_blocks).item()).epsilon(1e-6));
      const std::vector<Expr> dy_all = gradients(of_all.loss, of_all.parameters);
      const std::vector<Expr> dy_blocks = gradients(model.loss, model.parameters);
      for (std::size_t i = 0; i < dy_all.size(); ++i)
        CHECK(allclose(a.run(dy_all[i], to_all).to_dense(), b.run(dy_blocks[i], to_blocks).to_dense(), 1e-5, 1e-6));
    }
  // Where features pay as rows have them, those of a block pay by the square of what there is of them.
  Graph g;
  const Model model = make_model(g, c,
                                 {.kind = ModelKind::linear,
                                  .l2_W = 2,
                                  .l2_over = L2Over::touched,
                                  .relations = relations.matrix(c),
                                  .dtype = float32});
  Session session(g);
  session.assign(model.parameters[1], ones({p}));
  double expected = 0;
  for (const float x : whole.x.span<float>()) expected += 2 * static_cast<double>(x) * static_cast<double>(x);
  CHECK(session.run(model.penalty, {{model.X, rows.x}, {model.y, rows.y}}).item() ==
        doctest::Approx(expected / static_cast<double>(rows.size())).epsilon(1e-5));
  CHECK(refusal<ValueError>([&] {
          Graph other;
          make_model(other, c, {.kind = ModelKind::deep, .relations = relations.matrix(c)});
        }) == "make_model: relations are given with a deep model; linear and fm can have them");
  CHECK(refusal([&] {
          Design(model.X, relations.matrix(c + 1));
        }).ends_with(fmt::format("but X is [?, {}]; a csr matrix with a row for each column of X is expected", c)));
}

TEST_CASE("an implicit block has what the rows say, once, with the length 1") {
  const ScratchFile file("user,item,rating\na,x,1\na,y,2\na,x,3\nb,y,4\nb,z,1\nc,x,2\n", ".csv");
  const ReadRows rows = read_rows(file.path(), {.target = "rating", .categorical = {"user", "item"}});
  const FeatureTable& table = *rows.columns.table;
  const Index some[] = {0, 1, 2, 3};  // c and z are not among them
  const RelationBlock block = implicit_block({"user", "item"}, table, *in_one_block(rows.take(some)), "f");
  const double half = std::sqrt(0.5);
  const Tensor expected({{half, half, 0}, {0, 1, 0}, {0, 0, 0}});
  CHECK(allclose(block.lines.to_dense(), expected));
  const RelationBlock flip = implicit_block({"item", "user"}, table, *in_one_block(rows.take(some)), "f");
  CHECK(allclose(flip.lines.to_dense(), Tensor({{1, 0, 0}, {half, half, 0}, {0, 0, 0}})));
  const Relations both{{block, flip}};
  CHECK(both.features() == 6);
  CHECK(both.name(1) == "user:item=y");
  CHECK(both.find("item:user=c") == 5);
  CHECK(both.find("item=x") == -1);
  CHECK(both.fields(4) == std::vector<Index>{4, 4, 4, 5, 5, 5});
  CHECK(both.matrix(6).at(0, 0) == doctest::Approx(half));
  CHECK(both.matrix(6).at(3, 3) == doctest::Approx(1));
  CHECK(describe(block) == "implicit: 3 user x 3 item, 3 entries");

  const auto refused = [&](const std::string& text) {
    return refusal<ValueError>([&] { implicit_block(implicit_columns_named(text), table, *in_one_block(rows), "f"); });
  };
  CHECK(refused("user") == ".implicit is \"user\"; two columns are expected, as user:item");
  CHECK(refused("user:user") == ".implicit is \"user:user\"; two columns are expected, as user:item");
  CHECK(refused("user:").starts_with(".implicit is \"user:\""));
  CHECK(refused("a:b:c").starts_with(".implicit is \"a:b:c\""));
  CHECK(refused("users:item") == "f: .implicit users:item goes by column \"users\", which is not there");
  CHECK(refused("user:rating") ==
        "f: .implicit user:rating goes by column \"rating\", which is target; a categorical one is expected");
}

TEST_CASE("a trainer makes implicit columns of the rows that it learns from, and of no others") {
  TrainingOptions options = both_ways();
  options.valid_fraction = 0.5;
  const Takes takes(options);
  const auto of = [&](const SharedBlocks& rows) {
    return with_implicit(takes.set.columns.relations, takes.options.implicit, takes.set.columns.table.get(), *rows, "f")
        ->fingerprint();
  };
  CHECK(takes.set.columns.relations->blocks.size() == 3);
  Trainer trainer(takes.set.train, takes.set.validation, takes.set.columns, takes.options);
  CHECK(trainer.columns().relations->fingerprint() == of(takes.set.train));
  CHECK(of(takes.set.train) != of(all_rows(takes.set)));
  Trainer again(all_rows(takes.set), nullptr, takes.set.columns, takes.options);
  CHECK(again.columns().relations->fingerprint() == of(all_rows(takes.set)));
  CHECK(refusal<ValueError>([&] { Trainer(takes.set.train, nullptr, {}, takes.options); }) ==
        "Trainer: .implicit is user:item, but its columns have no names");
  options = both_ways();
  options.kind = ModelKind::deep;
  CHECK(refusal<ValueError>([&] { check(options); }) ==
        ".implicit is user:item,item:user, but a deep model cannot have such columns; linear and fm can");
  options.implicit = {"user:item", "user:item"};
  CHECK(refusal<ValueError>([&] { check(options); }) == ".implicit is user:item twice");
}

TEST_CASE("a model file keeps relations, and predicts as the trainer does") {
  for (const ModelKind kind : {ModelKind::linear, ModelKind::fm})
    for (const Task task : {Task::regression, Task::multiclass}) {
      TrainingOptions options = both_ways();
      options.kind = kind;
      options.task = task;
      Takes takes(options);
      Trainer trainer(takes.set.train, takes.set.validation, takes.set.columns, takes.options);
      trainer.run();
      TrainedModel model = untrained_model(takes.set, takes.options);
      model.columns.relations = trainer.columns().relations;
      model.parameters = trainer.parameters();
      model.target_scale = trainer.target_scale();
      const ScratchFile kept("");
      save_model(kept.path(), model);
      const TrainedModel read = load_model(kept.path());
      CHECK(read.columns.relations->fingerprint() == model.columns.relations->fingerprint());
      CHECK(read.parameters == model.parameters);
      const ScratchFile others(takes_text(60, 9), ".csv");
      Predictor predict(read, kept.path());
      const FileEvaluation found = evaluate_file(read, predict, {.path = others.path()});
      const LoadedRows rows = load_rows_for(read, {.path = others.path()});
      const Evaluation expected = trainer.evaluate_on(rows.rows->block(0));
      CHECK(found.evaluation.main() == doctest::Approx(expected.main()).epsilon(1e-5));
      CHECK(folded(read).parameters.at("W").dim(0) == takes.set.columns.count);
      CHECK(feature_named(read, "user:item=i3") == takes.set.columns.count + 5 + 2);
      CHECK(feature_name(read, feature_named(read, "sex=m")) == "sex=m");
      if (kind == ModelKind::fm) CHECK(nearest_features(read, "item:user=u3", 3).size() == 3);

      // Tensors that do not fit one another.
      SafeTensors file = load_safetensors(kept.path());
      const auto damaged = [&](const std::string& tensor, const Tensor& other) {
        SafeTensors copy = file;
        copy.tensors[tensor] = other;
        copy.metadata[checksum_key] = checksum(copy.tensors, copy.metadata);
        save_safetensors(kept.path(), copy);
        const std::string what = refusal<IoError>([&] { load_model(kept.path()); });
        return what.substr(what.find(": ") + 2);
      };
      CHECK(damaged("relations/0/length", ones({3}, int32)) ==
            "is damaged: the lines of relation 0 do not fit its key or one another");
      CHECK(damaged("relations/1/column", zeros(file.tensors["relations/1/column"].shape(), int32))
                .starts_with("is damaged: relation 1: "));
      CHECK(damaged("relations/3/length", ones({3}, int32)) ==
            "is damaged: it has 10 tensors of relations; 9 are expected");
      CHECK(damaged("relations/2/value", ones({2, 2})).starts_with("is damaged: relations/2/value is float32 [2, 2]"));
    }
}
