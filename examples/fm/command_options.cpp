#include "command_options.h"

#include "options.h"
#include "training_data.h"

#include <gradus/core/error.h>
#include <gradus/core/listed.h>
#include <gradus/models/training/training_settings.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace fm {

namespace {

// Refuses as the library does; wrong_usage() puts the option's name before it.
template <class T>
CLI::Validator number_in(T low, T high) {
  const CLI::Range range(low, high);
  const auto refused = [=](const std::string& text) {
    std::string number = text;
    return range(number).empty() ? "" : fmt::format("is {}; a number from {} to {} is expected", text, low, high);
  };
  return {[refused](std::string& text) { return refused(text); }, range.get_description(), ""};
}

void add_common(CLI::App& command, Common& common) {
  command.add_flag("--json", common.json, "Print one JSON object instead of text");
  command.add_option("--threads", common.threads, "0: all cores; results are the same")
      ->capture_default_str()
      ->check(number_in(0, 1024));
  command
      .add_option("--device", common.device,
                  "Where to compute: cpu, or cuda:0 where there is one; cuda: under mpirun each rank's own card")
      ->capture_default_str();
}

void add_data(CLI::App& command, DataArguments& data, const std::string& what) {
  command.add_option("data", data.file.path, what)->required()->type_name("DATA");
  command.add_option("--format", data.format, "libsvm, libfm, libffm, movielens, csv, tsv, or guess")
      ->capture_default_str()
      ->group("Data");
  command.add_option("--delimiter", data.delimiter, "Between the cells of csv; , or ; are found")->group("Data");
  command.add_flag("--sum-duplicates", data.sum_duplicates, "Add up the values of an index that a line names twice")
      ->group("Data");
  command
      .add_flag("--keep-first-field", data.keep_first_field,
                "Let a feature of libffm stay in its first field, where the model goes by fields (field-aware, deep)")
      ->group("Data");
}

// A row of the table of settings as an option.

void add_setting(CLI::App& command, const gradus::Setting& setting) {
  const std::string name = fmt::format("--{}{}{}", setting.name, setting.alias.empty() ? "" : ",", setting.alias);
  std::string what(setting.what);
  if (!setting.choices.empty()) what += fmt::format(" ({})", gradus::listed(setting.choices));
  CLI::Option* option = std::visit(
      [&](auto* value) {
        using T = std::remove_cvref_t<decltype(*value)>;
        if constexpr (gradus::is_choice<T>)
          return command
              .add_option_function<std::string>(
                  name, [setting](const std::string& chosen) { gradus::choose(setting, chosen); }, what)
              ->default_str(gradus::shown(setting));
        else if constexpr (std::is_same_v<T, bool>)
          return command.add_flag(name, *value, what);
        else if constexpr (std::is_same_v<T, std::optional<bool>>)
          return command.add_flag_function(
              fmt::format("{},!--no-{}", name, setting.name), [value](std::int64_t count) { *value = count > 0; },
              what);
        else if constexpr (requires { value->has_value(); })
          return command.add_option(name, *value, what)->default_str("found out");
        else if constexpr (std::is_same_v<T, std::vector<std::int64_t>> || std::is_same_v<T, std::vector<std::string>>)
          return command.add_option(name, *value, what)
              ->delimiter(',')
              ->allow_extra_args(!std::is_same_v<T, std::vector<std::string>>)  // what follows may be the data
              ->capture_default_str();
        else
          return command.add_option(name, *value, what)->capture_default_str();
      },
      setting.value);
  option->group(std::string(setting.group));
}

// What the columns of a table are.

void add_columns(CLI::App& command, DataArguments& data) {
  gradus::ReadOptions& read = data.file.read;
  command.add_option("more", data.file.more, "More files of the same columns")->type_name("DATA");
  command.add_option("--decimal", data.decimal, "The decimal mark of the file's numbers: . or ,")->group("Data");
  command
      .add_option(
          "--target,-t", read.target,
          "Column of what is to be told; without it target, label, y, rating, class, click, stars or score, else "
          "the last that is neither an id nor a time")
      ->group("Data");
  command.add_option("--categorical", read.categorical, "Columns that are categories, as a,b; others are found out")
      ->delimiter(',')
      ->group("Data");
  command.add_option("--numeric", read.numeric, "Columns that are numbers, as a,b; others are found out")
      ->delimiter(',')
      ->group("Data");
  command.add_option("--ignore", read.ignored, "Columns to leave out, as a,b")->delimiter(',')->group("Data");
  command.add_option("--weight", read.weight, "Column of how much an example counts")->group("Data");
  command
      .add_option("--multi", read.multi, "Columns with several categories in a cell, as a,b: Action|Drama; each is 1")
      ->delimiter(',')
      ->group("Data");
  command.add_option("--multi-separator", read.separator, "Between these; | ; , / or a blank are found")->group("Data");
  command.add_flag("--no-header", read.form.no_header, "The first line is an example; columns are called 1, 2, 3")
      ->group("Data");
  command
      .add_option("--missing", read.form.missing,
                  "Words that say nothing is known, as NA,-999, beside NA, NaN, NULL, None, \\N, ? and -")
      ->delimiter(',')
      ->group("Data");
  command
      .add_option("--hash-bits", read.hash_bits,
                  "Hash categories, or indices of sparse text, to 2^this features; 0: a dictionary")
      ->check(number_in(0, 30))
      ->group("Data");
}

void add_overwrite(CLI::App& command, bool& overwrite) {
  command.add_flag("--overwrite", overwrite, "Let files be replaced that are not of the kind that is written")
      ->group("Files");
}

// What is wrong whatever the data are. Throws ValueError.

}  // namespace

void add_train(CLI::App& app, TrainCommand& command, std::vector<GivenOption>& of_file) {
  CLI::App& train = *app.add_subcommand("train", "Learn a model from data");
  train.set_help_flag("--help", "Print all options and exit");
  train.add_flag_callback(
      "-h", [&train] { throw ShortHelp{&train}; }, "Print the options that matter first and exit");
  train.add_option_function<std::string>(
      "--config", [&](const std::string& path) { of_file = read_config(train, command.config = path); },
      "File of options, as rate = 0.05; those of the command line go before");
  train.add_option("--save-config", command.save_config, "File to write the options to, for --config")->group("Files");
  add_data(train, command.data, "The examples to learn from; - is standard input");
  add_common(train, command.common);
  add_columns(train, command.data);
  train.add_option("--weights", command.data.file.weights, "File of how much each example counts, a number a line")
      ->group("Data");
  train.add_option("--item", command.items, "Columns of what is ranked, as a,b; item without it")
      ->delimiter(',')
      ->group("Data");
  train
      .add_option("--join", command.join,
                  "Table with more columns of what a column of the data names, as users.csv, or u.item of MovieLens; "
                  "may be given again")
      ->allow_extra_args(false)
      ->type_name("FILE")
      ->group("Data");
  train.add_option("--on", command.on, "The column that both have, as user; one for each --join")
      ->allow_extra_args(false)
      ->type_name("COLUMN")
      ->group("Data");
  train.add_option("--valid", command.validation, "File to validate with")->group("Data");
  train.add_option("--valid-weights", command.validation_weights, "Its weights, a number a line")->group("Data");
  train.add_option("--test", command.test, "File to evaluate the model on in the end")->group("Data");
  for (const gradus::Setting& setting : gradus::settings(command.options)) add_setting(train, setting);
  train.add_option("--cv", command.folds, "Cross-validate in so many parts, and keep no model")
      ->check(number_in(2, 1000))
      ->group("Training");
  train.add_flag("--search", command.search, "Look for a good rate, number of factors and L2 first")->group("Training");
  train.add_option("--report", command.report, "Page to write: curves, fit, features, graph, options")->group("Files");
  train
      .add_option("--walkthrough", command.walkthrough,
                  "Page to write on which the training of the first rows alone can be watched, number by number")
      ->group("Files");
  train.add_option("--log", command.log, "File of JSON lines that grows with the training")->group("Files");
  train.add_option("--tensorboard", command.tensorboard, "Folder of curves for TensorBoard")->group("Files");
  train.add_option("--model,-m", command.model, "File to keep the model in")->group("Files");
  add_overwrite(train, command.overwrite);
  train
      .add_option("--checkpoint-every", command.checkpoint_every,
                  "Epochs after which the state is saved in MODEL.checkpoint; 0: only when interrupted")
      ->check(number_in(0, 1000000000))
      ->capture_default_str()
      ->group("Files");
  train
      .add_option("--rank-timeout", command.rank_timeout,
                  "Under mpirun: seconds after which a rank that waits for others ends all, and names them")
      ->check(number_in(1, 1000000))
      ->capture_default_str()
      ->group("Training");
  train
      .add_option("--shard-above", command.common.shard_above,
                  "Under mpirun: MiB above which the rows of a table are shared out, each rank having its own")
      ->check(number_in(0.0, 1e9))
      ->capture_default_str()
      ->group("Training");
  train
      .add_option(
          "--from", command.from,
          "Model to go on from: its parameters are the start, new users, items and other categories begin small")
      ->group("Training");
  train.add_flag("--resume", command.resume, "Go on from MODEL.checkpoint")->group("Files");
  train.add_flag("--quiet,-q", command.quiet, "No line an epoch");
  train.footer(
      "Examples:\n"
      "  fm train ratings.csv\n"
      "  fm train ua.base --factors 20 --test ua.test --model m.safetensors\n"
      "  fm train ua.base --factors 20 --learner mcmc --model m.safetensors\n"
      "  fm train ua.base --learner mcmc --factors 20 --implicit user:item,item:user --join u.user --on user\n"
      "  fm train clicks.csv --target clicked --ignore id --optimizer ftrl --rate 0.05\n"
      "  fm train ratings.csv --split time:timestamp\n"
      "  zcat train.libsvm.gz | fm train - --valid valid.libsvm --model m.safetensors");
}

void add_update(CLI::App& app, UpdateCommand& command) {
  CLI::App& update = *app.add_subcommand("update", "Take new users, items and the like into a model");
  update.add_option("model", command.model, "What train --model wrote")->required()->type_name("MODEL");
  add_data(update, command.data, "Examples of what is new, with their targets; - is standard input");
  CLI::Option_group& to = *update.add_option_group("Output");
  to.add_option("--output,--out,-o", command.out, "File to write the model to");
  to.add_flag("--in-place", command.in_place, "Write it to where it was");
  to.require_option(1);
  add_overwrite(update, command.overwrite);
  add_common(update, command.common);
  update.footer(
      "What is new is found from the examples that have it, all else stays as it is; train --from changes the rest "
      "too.\n"
      "Examples:\n  fm update m.safetensors today.csv --in-place");
}

// What can be recommended.
std::vector<CLI::Option*> add_candidates(CLI::App& command, std::string& item, std::string& file,
                                         std::vector<std::string>& where) {
  return {
      command.add_option("--item", item, "Column of what is recommended; without it item, or the only other thing"),
      command.add_option("--candidates", file,
                         "File of those that may be, a row each, with the columns that are theirs"),
      command.add_option("--where", where,
                         "Only candidates with this cell, as genre=Comedy; more of them must all hold"),
  };
}

void add_evaluate(CLI::App& app, EvaluateCommand& command) {
  CLI::App& evaluate = *app.add_subcommand("evaluate", "Say how good a model is on data");
  evaluate.add_option("model", command.model, "What train --model wrote")->required()->type_name("MODEL");
  add_data(evaluate, command.data, "Examples with their targets; - is standard input");
  evaluate.add_option("--weights", command.data.file.weights, "File of how much each example counts, a number a line")
      ->group("Data");
  evaluate.add_option("--by", command.by, "Column, by whose values the metrics are told as well, as user");
  CLI::Option* const top =
      evaluate
          .add_option("--top", command.top,
                      "Say how good the first so many recommendations are for each user of the file (of --by, or the "
                      "column whose name speaks of people): ndcg, precision, recall, mrr, hit rate")
          ->check(number_in(1, 1000000))
          ->group("Recommendations");
  evaluate
      .add_option("--without", command.without,
                  "What users had before, as in training: it is neither recommended nor looked for, and the most "
                  "popular there are what the model is compared with")
      ->needs(top)
      ->group("Recommendations");
  evaluate
      .add_option("--liked", command.liked,
                  "The least target that says that a user took the item; without it 1 of two classes, any of others")
      ->needs(top)
      ->group("Recommendations");
  for (CLI::Option* option : add_candidates(evaluate, command.item, command.candidates, command.where))
    option->needs(top)->group("Recommendations");
  add_common(evaluate, command.common);
  evaluate.footer(
      "Examples:\n  fm evaluate m.safetensors test.csv\n  fm evaluate m.safetensors test.csv --by user\n"
      "  fm evaluate m.safetensors test.csv --top 10 --without train.csv");
}

void add_predict(CLI::App& app, PredictCommand& command) {
  CLI::App& predict = *app.add_subcommand("predict", "Tell the targets of examples, one a line");
  predict.add_option("model", command.model, "What train --model wrote")->required()->type_name("MODEL");
  add_data(predict, command.data, "Examples, with or without targets; - is standard input");
  predict.add_option("--out,-o", command.out, "File to write to; - is standard output")->capture_default_str();
  add_overwrite(predict, command.overwrite);
  predict.add_flag(
      "--probabilities", command.probabilities,
      "Of several classes the probability of each, below a line of their names; else the likeliest is told");
  predict.add_flag(
      "--std", command.deviations,
      "Behind each number and a comma how sure the model is of it: the standard deviation over the samples "
      "of train --learner mcmc");
  add_common(predict, command.common);
  predict.footer(
      "Of binary tasks the number is the probability of 1; of several classes the likeliest is named.\n"
      "Examples:\n"
      "  fm predict m.safetensors new.csv --out predictions.txt\n"
      "  zcat new.csv.gz | fm predict m.safetensors - | paste -d, ids.txt -");
}

void add_recommend(CLI::App& app, RecommendCommand& command) {
  CLI::App& recommend = *app.add_subcommand("recommend", "Tell the best items for users");
  recommend.add_option("model", command.model, "What train --model wrote")->required()->type_name("MODEL");
  CLI::Option* const user = recommend.add_option("--user", command.user, "For this user; without it for all users");
  CLI::Option* const cells = recommend.add_option(
      "--for", command.cells, "For a context with this cell, as age=30; --for day=monday --for hour=9 has two");
  recommend
      .add_option("--contexts", command.contexts, "For each row of this file: users, or what else the model knows")
      ->excludes(user)
      ->excludes(cells);
  recommend.add_option("--by", command.by, "Column of the users; without it the one whose name speaks of people");
  recommend.add_option("--count", command.count, "Items for each")->capture_default_str()->check(number_in(1, 1000000));
  recommend.add_option("--without", command.without, "File of users and items, pairs that are left out");
  add_candidates(recommend, command.item, command.candidates, command.where);
  recommend.add_option("--output,--out,-o", command.out, "File to write to; - is standard output")
      ->capture_default_str();
  add_overwrite(recommend, command.overwrite);
  add_common(recommend, command.common);
  recommend.footer(
      "What is written is csv: the columns of the context, rank, item, score (as of predict).\nExamples:\n"
      "  fm recommend m.safetensors --user 7 --without train.csv\n"
      "  fm recommend m.safetensors --count 20 --candidates items.csv --where genre=Comedy --output comedies.csv");
}

void add_inspect(CLI::App& app, InspectCommand& command) {
  CLI::App& inspect = *app.add_subcommand("inspect", "Show what a model has learnt");
  inspect.add_option("model", command.model, "What train --model wrote")->required()->type_name("MODEL");
  inspect.add_option("--feature", command.feature, "Show the features nearest to this one, such as item=50");
  inspect.add_option("--count", command.count, "Lines of each list")->capture_default_str()->check(number_in(1, 10000));
  add_common(inspect, command.common);
  inspect.footer("Examples:\n  fm inspect m.safetensors\n  fm inspect m.safetensors --feature item=50 --count 5");
}

void add_convert(CLI::App& app, ConvertCommand& command) {
  CLI::App& convert = *app.add_subcommand("convert", "Write data as a binary cache, which is read much faster");
  add_data(convert, command.data, "Examples with their targets; - is standard input");
  convert.add_option("--out,-o", command.out, "File to write")->required();
  add_overwrite(convert, command.overwrite);
  convert.add_option("--block-rows", command.block_rows, "Rows of a block; training that streams has a few in memory")
      ->check(number_in(1, 2147483647))
      ->capture_default_str();
  convert.add_option("--model", command.model, "Read as data for this model")->group("Data");
  add_columns(convert, command.data);
  convert.add_flag("--json", command.common.json, "Print one JSON object instead of text");
  convert.add_option("--threads", command.common.threads, "0: all cores; results are the same")
      ->check(number_in(0, 1024));
  convert.footer(
      "Of a cache that is too large for memory, train shuffles blocks and the rows within each: shuffle sorted lines "
      "first.\nExamples:\n  fm convert train.csv --target clicked --out train.cache\n  fm train train.cache");
}

void add_export(CLI::App& app, ExportCommand& command) {
  CLI::App& out = *app.add_subcommand("export", "Write a model for other programs");
  out.add_option("model", command.model, "What train --model wrote")->required()->type_name("MODEL");
  out.add_option("--onnx", command.onnx, "File to write as ONNX, for onnxruntime and the like");
  out.add_option("--c-header", command.c_header,
                 "Header of C to write, as model.h: tables and a function that scores a row, without dependencies");
  add_overwrite(out, command.overwrite);
  out.add_flag("--json", command.common.json, "Print one JSON object instead of text");
  out.footer("Examples:\n  fm export m.safetensors --onnx m.onnx\n  fm export m.safetensors --c-header m.h");
}

void check_usage(const TrainCommand& train, const EvaluateCommand& evaluate, const PredictCommand& predict,
                 const UpdateCommand& update, const RecommendCommand& recommend, const InspectCommand& inspect,
                 const ConvertCommand& convert, const ExportCommand* export_command) {
  gradus::check(train.options);
  for (const DataArguments* data : {&train.data, &evaluate.data, &predict.data, &update.data, &convert.data})
    data_file(*data);
  for (const Common* common :
       {&train.common, &evaluate.common, &predict.common, &update.common, &recommend.common, &inspect.common})
    check_device(common->device);
  if (train.search && gradus::visits_parameters(train.options))
    gradus::fail<gradus::ValueError>("--search tries learning rates, but {} has none",
                                     to_string(train.options.optimizer));
  if (!train.walkthrough.empty() && gradus::visits_parameters(train.options))
    gradus::fail<gradus::ValueError>("--walkthrough shows steps down gradients, but {} makes none",
                                     to_string(train.options.optimizer));
  check_joins(train);
  if (export_command != nullptr && export_command->onnx.empty() && export_command->c_header.empty())
    gradus::fail<gradus::ValueError>("--onnx or --c-header names the file to write; neither is given");
  if (!train.from.empty() && (train.search || train.folds > 0))
    gradus::fail<gradus::ValueError>("--from goes on from one model, but {} trains many from the start",
                                     train.search ? "--search" : "--cv");
  if (train.resume && train.model.empty())
    gradus::fail<gradus::ValueError>("--resume goes on from MODEL.checkpoint, but no --model is named");
}

// What is asked of the program instead of a command.

}  // namespace fm
