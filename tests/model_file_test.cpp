// The file of a model, what can be seen in one, and how files become training sets.
#include "folder.h"
#include "refusal.h"
#include "scratch_file.h"

#include <gradus/core/io/file.h>
#include <gradus/core/io/safetensors.h>
#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/random.h>
#include <gradus/models/data/detail/columns_file.h>
#include <gradus/models/training/inspection.h>
#include <gradus/models/training/predictor.h>
#include <gradus/models/training/training_set.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <tuple>

using namespace gradus;

namespace {

// As many rows of two ones each.
Rows ones_in_pairs(std::int64_t rows) {
  std::vector<std::int64_t> row_start{0}, column;
  std::vector<float> y;
  for (std::int64_t i = 0; i < rows; ++i) {
    column.insert(column.end(), {i % 20, 20 + (i * i) % 30});
    row_start.push_back(std::ssize(column));
    y.push_back(static_cast<float>(i));
  }
  return {Tensor::csr(rows, 50, row_start, column, std::vector<float>(column.size(), 1)), Tensor::from(y, {rows, 1})};
}

}  // namespace

TEST_CASE("each model kind trains and is read back") {
  const Folder folder;
  std::string csv = "user,item,y\n";
  for (int i = 0; i < 300; ++i) csv += fmt::format("u{},i{},{}\n", i % 7, (i * i) % 11, i % 7 < (i * i) % 11 ? 1 : 0);
  const ScratchFile file(csv, ".csv");
  for (const ModelKind kind :
       {ModelKind::linear, ModelKind::fm, ModelKind::higher_order, ModelKind::field_aware, ModelKind::deep}) {
    CAPTURE(to_string(kind));
    TrainingOptions options;
    options.kind = kind;
    options.rate = 0.05;
    options.epochs = 3;
    options.hidden = {4};
    const TrainingSet set = load_training_set({.path = file.path()}, {}, options);
    CHECK(options.task == Task::binary);
    CHECK(set.validation_size() == 30);
    const Rows validation = set.validation->block(0);
    Trainer trainer(set.train, set.validation, set.columns, options);
    trainer.run();
    CHECK(trainer.history().back().loss < 0.68);
    TrainedModel model = untrained_model(set, options);
    model.parameters = trainer.parameters();
    model.metrics["validation log loss"] = 0.5;
    save_model(folder / "m", model);
    const TrainedModel loaded = load_model(folder / "m");
    CHECK(loaded.parameters == model.parameters);
    CHECK(*loaded.columns.table == *model.columns.table);
    CHECK(difference(loaded.options, model.options).empty());
    CHECK(loaded.metrics == model.metrics);
    CHECK(loaded.zero_one);
    CHECK(loaded.target == "y");
    Predictor predict(loaded, "m");
    CHECK(evaluate(Task::binary, validation.y, predict.estimates(validation.x)).main() ==
          trainer.evaluate_on(validation).main());
    save_model(folder / "again", loaded);
    CHECK(read_file(folder / "again") == read_file(folder / "m"));
  }
}

TEST_CASE("models of other versions and damaged ones are refused") {
  const Folder folder;
  TrainedModel model;
  model.options.task = Task::regression;
  model.columns.count = 2;
  model.options.kind = ModelKind::linear;
  model.parameters = {{"w0", zeros({1})}, {"W", zeros({2})}};
  save_model(folder / "m", model);
  const SafeTensors good = load_safetensors(folder / "m");
  const auto refused = [&](const SafeTensors& file) {
    save_safetensors(folder / "m", file);
    std::string what = refusal<IoError>([&] { Predictor(load_model(folder / "m"), folder / "m"); });
    const std::size_t at = what.find(folder / "m");
    return at == std::string::npos ? what : what.replace(at, (folder / "m").size(), "M");
  };
  const auto with = [&](const std::string& key, const std::string& text) {
    SafeTensors file = good;
    file.metadata[key] = text;
    file.metadata["checksum"] = checksum(file.tensors, file.metadata);
    return file;
  };
  CHECK(refused(good) == "nothing was thrown");
  CHECK(refused({good.tensors, {}}) == "M: is no model: its metadata have no gradus_model");
  CHECK(refused(with("gradus_model", "1")) == "M: is a model of version 1; this program reads version 2");
  SafeTensors other = good;
  other.tensors.at("W") = ones({2});
  CHECK(refused(other).starts_with("M: is damaged: its checksum is "));
  CHECK(refused(with("format", "guess what")) ==
        "M: is damaged: there is no format \"guess what\"; guess, libsvm, libfm, libffm, movielens, csv and tsv are "
        "there");
  CHECK(refused(with("features", "0")) == "M: is damaged: it has no features");
  CHECK(refused(with("features", "{")) == "M: is damaged: \"features\" is not a whole number");
  CHECK(refused(with("features", "3")) == "M: is damaged: W is float32 [2]; float32 [3] is expected");
  CHECK(refused(with("target", "{}")) == "M: is damaged: \"column\" is missing");
  CHECK(refused(with("options", "{}")) == "M: its options lack \"kind\"");
  CHECK(refused(with("feature_table", "{}")) == "M: is not a feature table: \"version\" is missing");
  SafeTensors lacking = good;
  lacking.tensors.erase("w0");
  lacking.metadata["checksum"] = checksum(lacking.tensors, lacking.metadata);
  CHECK(refused(lacking) == "M: is damaged: it lacks w0");
  // What would ask for more memory than there is, and tensors that nobody expects.
  CHECK(refused(with("features", "2000000000")) == "M: is damaged: W is float32 [2]; float32 [2000000000] is expected");
  model.options.kind = ModelKind::field_aware;
  model.options.factors = 10000;
  model.columns.field = std::make_shared<const std::vector<Index>>(std::vector<Index>{0, 2000000000});
  model.parameters.emplace("V", zeros({2, 1}));
  save_model(folder / "m", model);
  CHECK(refused(load_safetensors(folder / "m")) ==
        "M: is damaged: V is float32 [2, 1]; float32 [2, 20000000010000] is expected");
  SafeTensors more = good;
  more.tensors.emplace("V", zeros({2, 0}));
  more.metadata["checksum"] = checksum(more.tensors, more.metadata);
  CHECK(refused(more) == "M: is damaged: it has a tensor that its model has not");
  // Cut off anywhere, and changed anywhere, it is refused.
  save_safetensors(folder / "m", good);
  const std::vector<std::byte> bytes = read_file(folder / "m");
  for (std::size_t at = 0; at < bytes.size(); at += 7) {
    write_file_atomically(folder / "m", std::span(bytes).first(at));
    CHECK_THROWS_AS(load_model(folder / "m"), IoError);
    std::vector<std::byte> changed = bytes;
    changed[at] ^= std::byte{4};
    write_file_atomically(folder / "m", changed);
    CHECK_THROWS_AS(load_model(folder / "m"), IoError);
  }
}

TEST_CASE("strongest features and pairs, nearest features") {
  TrainedModel model;
  model.format = Format::libsvm;
  model.columns.count = 4;
  model.parameters = {
      {"w0", zeros({1})}, {"W", Tensor({0.5, -2, 1, 0})}, {"V", Tensor({{1, 0}, {0, 2}, {-3, 0.1}, {0.5, 0.5}})}};
  const auto features = strongest_features(model, 2);
  REQUIRE(features.size() == 2);
  CHECK(features[0].name == "2");
  CHECK(features[0].weight == -2);
  CHECK(features[1].name == "3");
  const auto pairs = strongest_pairs(model, 3);
  REQUIRE(pairs.size() == 3);
  CHECK(pairs[0].first == "1");
  CHECK(pairs[0].second == "3");
  CHECK(pairs[0].weight == -3);
  CHECK(std::abs(pairs[1].weight) == doctest::Approx(1.45));
  CHECK(pairs[2].weight == doctest::Approx(1));
  CHECK(strongest_pairs(model, 100).size() == 6);
  const auto near = nearest_features(model, "1", 9);
  REQUIRE(near.size() == 3);
  CHECK(near[0].name == "4");
  CHECK(near[0].weight == doctest::Approx(std::sqrt(0.5)));
  CHECK(near[2].name == "3");
  CHECK(refusal<ValueError>([&] { nearest_features(model, "5", 1); }) == "there is no feature \"5\"; \"1\" is one");
  CHECK(refusal<ValueError>([&] { nearest_features(model, "x", 1); }) == "there is no feature \"x\"; \"1\" is one");
}

TEST_CASE("pairs of a field-aware model are of the vectors for each other's field") {
  TrainedModel model;
  model.options.kind = ModelKind::field_aware;
  model.options.factors = 2;
  model.columns.count = 5;
  model.format = Format::libffm;
  model.columns.field = std::make_shared<const std::vector<Index>>(std::vector<Index>{0, 0, 1, 2, -1});
  // Rows are v for field 0, 1 and 2; 9 stands where no two features meet.
  model.parameters = {{"V", Tensor({{9, 9, 1, 2, 3, 0},  //
                                    {9, 9, -1, 1, 0, 4},
                                    {2, 1, 9, 9, 1, 1},
                                    {-1, 5, 2, 2, 9, 9},
                                    {9, 9, 9, 9, 9, 9}})}};
  const auto pairs = strongest_pairs(model, 20);
  const std::vector<std::tuple<std::string, std::string, double>> right = {
      {"1", "3", 20}, {"0", "2", 4}, {"2", "3", 4}, {"0", "3", -3}, {"1", "2", -1}};
  REQUIRE(pairs.size() == right.size());
  for (std::size_t i = 0; i < right.size(); ++i) {
    CHECK(pairs[i].first == std::get<0>(right[i]));
    CHECK(pairs[i].second == std::get<1>(right[i]));
    CHECK(pairs[i].weight == std::get<2>(right[i]));
  }
  // Alike are features of one field, by what they have learnt of the others: (1, 2, 3, 0) and (-1, 1, 0, 4).
  const auto near = nearest_features(model, "0", 9);
  REQUIRE(near.size() == 1);
  CHECK(near[0].name == "1");
  CHECK(near[0].weight == doctest::Approx(1 / std::sqrt(14. * 18)));
}

TEST_CASE("the strongest pairs are those of all pairs") {
  TrainedModel model;
  model.columns.count = 60;
  model.format = Format::libfm;
  const Tensor V = Initializer(random_normal({60, 3}, {.seed = 4})).value("V");
  model.parameters = {{"V", V}};
  std::vector<double> all;
  for (std::int64_t i = 0; i < 60; ++i)
    for (std::int64_t j = 0; j < i; ++j) {
      double product = 0;
      for (std::int64_t f = 0; f < 3; ++f) product += V.at(i, f) * V.at(j, f);
      all.push_back(std::abs(product));
    }
  std::sort(all.begin(), all.end(), std::greater<>());
  const auto pairs = strongest_pairs(model, 20);
  REQUIRE(pairs.size() == 20);
  for (std::size_t i = 0; i < 20; ++i) CHECK(std::abs(pairs[i].weight) == doctest::Approx(all[i]));
}

TEST_CASE("files become training sets") {
  const ScratchFile svm("1 1:1 3:0.5\n0 2:1\n1 1:1\n", ".svm");
  const LoadedRows loaded = load_rows({.path = svm.path()});
  CHECK(loaded.format == Format::libsvm);
  CHECK(loaded.rows->block(0).x.to_dense() == Tensor({{1, 0, 0.5}, {0, 1, 0}, {1, 0, 0}}));
  CHECK(loaded.rows->block(0).y == Tensor({{1}, {0}, {1}}));
  // Ones are known as such, also where some come before another number.
  const ScratchFile ones_alone("1 1:1 2:1\n2 2:1\n", ".svm");
  CHECK(load_rows({.path = ones_alone.path()}).rows->block(0).x.ones());
  std::string many;
  for (int i = 0; i < 150'000; ++i) many += i == 140'000 ? "1 1:7\n" : "1 2:1\n";
  const Rows large = load_rows({.path = ScratchFile(many, ".svm").path()}).rows->block(0);
  CHECK(large.size() == 150'000);
  CHECK(large.x.stored() == 150'000);
  CHECK(large.x.at(140'000, 0) == 7);
  CHECK(large.x.at(139'999, 1) == 1);

  const auto summary = [](const Tensor& y) { return summary_of(*in_one_block({ones({y.dim(0), 1}), y})); };
  CHECK(summary(Tensor({{0}, {1}})).are_classes());
  CHECK(summary(Tensor({{-1}, {1}})).are_classes());
  CHECK_FALSE(summary(Tensor({{1}, {1}})).are_classes());
  CHECK_FALSE(summary(Tensor({{-1}, {0}, {1}})).are_classes());
  CHECK_FALSE(summary(Tensor({{1}, {2}})).are_classes());
  const auto form = [&](const Tensor& y) {
    return form_of_classes(summary(y), *in_one_block({ones({y.dim(0), 1}), y}), "f");
  };
  CHECK(form(Tensor({{0}, {1}})) == BinaryForm::zero_one);
  CHECK(form(Tensor({{-1}, {1}})) == BinaryForm::signs);
  CHECK(form(Tensor({{1}})) == BinaryForm::ones);
  CHECK(refusal<ValueError>([&] {
          form(Tensor({{0}, {-1}}));
        }) == "f: the target of row 2 is -1 where others before it are 0; 0 and 1, or -1 and 1, are expected");

  const Rows a = ones_in_pairs(5), b = ones_in_pairs(9);
  const Rows both = joined(std::vector<Rows>{a, b});
  CHECK(both.size() == 14);
  CHECK(both.range(0, 5).x.to_dense() == a.x.to_dense());
  CHECK(both.range(5, 9).x.to_dense() == b.x.to_dense());
  CHECK(both.y.row_range(5, 9) == b.y);
}

TEST_CASE("the target of a table that names none") {
  const auto target = [](const std::string& header) {
    const std::string numbers = "1,2,3\n2,3,4\n";
    const ScratchFile file(header + "\n" + numbers, ".csv");
    return load_rows({.path = file.path()}).target;
  };
  CHECK(target("a,b,c") == "c");
  CHECK(target("a,Target,c") == "Target");
  CHECK(target("rating,b,c") == "rating");
  CHECK(target("y,label,c") == "label");
  CHECK(target("\na,click,c") == "click");
}

TEST_CASE("numbers of columns that name things are categories") {
  const ScratchFile file("user,movieId,paid,grade\n1,7,1,2\n2,8,2,3\n", ".csv");
  CHECK(load_rows({.path = file.path()}).rows->block(0).x.dim(1) == 5);  // two users, two movies, paid
  ReadOptions read;
  read.numeric = {"user"};
  CHECK(load_rows({.path = file.path(), .read = read}).rows->block(0).x.dim(1) == 4);
  read.ignored = {"movieId"};
  CHECK(load_rows({.path = file.path(), .read = read}).rows->block(0).x.dim(1) == 2);
}
