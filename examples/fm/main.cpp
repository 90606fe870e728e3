// Factorization machines on people's own data: train, evaluate, predict, recommend, inspect. This file is the command
// line; the commands are in the files beside it, and what they do is in models/.
#include "command_options.h"
#include "options.h"
#include "process.h"
#include "ranks.h"
#include "say.h"

#include <gradus/core/error.h>
#include <gradus/models/training/training_settings.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace {

using namespace fm;

constexpr const char* usage =
    "Examples:\n"
    "  fm train ratings.csv                                   finds out the rest, holds out 10 %\n"
    "  fm train train.csv --target clicked --model m.safetensors\n"
    "  fm evaluate m.safetensors test.csv\n"
    "  fm predict m.safetensors new.csv --out predictions.txt\n"
    "  fm recommend m.safetensors --user 7 --without train.csv\n"
    "  fm inspect m.safetensors\n"
    "fm COMMAND --help has the options of a command.";

int answer(const std::string& text) {
  put(stdout, text);
  finish_output();
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app("Factorization machines on your own data.", "fm");
  app.footer(usage);
  app.set_version_flag("--version", "fm, of Gradus " GRADUS_VERSION);
  app.require_subcommand(1);
  TrainCommand train_command;
  EvaluateCommand evaluate_command;
  PredictCommand predict_command;
  UpdateCommand update_command;
  RecommendCommand recommend_command;
  InspectCommand inspect_command;
  ConvertCommand convert_command;
  ExportCommand export_command;
  std::vector<GivenOption> of_file;  // of --config
  add_train(app, train_command, of_file);
  add_evaluate(app, evaluate_command);
  add_predict(app, predict_command);
  add_update(app, update_command);
  add_recommend(app, recommend_command);
  add_inspect(app, inspect_command);
  add_convert(app, convert_command);
  add_export(app, export_command);
  train_command.command_line = command_line(argc, argv);
  std::string command;
  try {
    check_command(app, argc, argv);
    if (argc > 1 && argv[1][0] != '-') command = argv[1];
    app.parse(argc, argv);
    check_usage(train_command, evaluate_command, predict_command, update_command, recommend_command, inspect_command,
                convert_command, command == "export" ? &export_command : nullptr);
    if (!train_command.save_config.empty()) train_command.config_text = config_text(*app.get_subcommand("train"));
  } catch (const ShortHelp& asked) {
    return answer(short_help(*asked.command));
  } catch (const CLI::CallForVersion& asked) {
    return answer(asked.what() + std::string("\n"));
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? answer(app.help())
                                      : usage_error(as_typed(wrong_usage(error, app), argc, argv), command);
  } catch (const gradus::ValueError& error) {
    std::string what = in_option_words(error.what());
    for (const GivenOption& each : of_file)
      if (what.starts_with(each.option + " ")) what = each.where + ": " + what;
    return usage_error(as_typed(what, argc, argv), command);
  }
  join_ranks(command, train_command);
  int code = 0;
  if (command == "train") code = train(train_command);
  if (command == "evaluate") code = evaluate(evaluate_command);
  if (command == "predict") code = predict(predict_command);
  if (command == "update") code = update(update_command);
  if (command == "recommend") code = recommend(recommend_command);
  if (command == "inspect") code = inspect(inspect_command);
  if (command == "convert") code = convert(convert_command);
  if (command == "export") code = export_model(export_command);
  finish_output();
  leave_ranks(train_command);
  return code;
}

int run_safely(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Unheard&) {
    end_ranks("nobody reads what is printed");
    return 1;
  } catch (const std::bad_alloc&) {
    end_ranks("there is not enough memory");
    std::fflush(stdout);
    std::fputs("fm: there is not enough memory\n", stderr);
  } catch (const std::exception& error) {
    end_ranks(one_line(in_option_words(error.what())));
    std::fflush(stdout);
    say(stderr, "fm: {}\n", one_line(in_option_words(error.what())));
  }
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  prepare_streams();
  end_program(with_enough_stack([&] { return run_safely(argc, argv); }));
}
