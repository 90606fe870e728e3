// What the commands of fm take: each adds itself, with its options, to the command line.
#pragma once

#include "commands.h"
#include "options.h"

#include <CLI/CLI.hpp>

#include <vector>

namespace fm {

/// Thrown by -h: the options that matter first are asked for.
struct ShortHelp {
  const CLI::App* command;
};

/// `of_file` gets the options of --config, and where they stand.
void add_train(CLI::App& app, TrainCommand& command, std::vector<GivenOption>& of_file);
void add_evaluate(CLI::App& app, EvaluateCommand& command);
void add_predict(CLI::App& app, PredictCommand& command);
void add_update(CLI::App& app, UpdateCommand& command);
void add_recommend(CLI::App& app, RecommendCommand& command);
void add_inspect(CLI::App& app, InspectCommand& command);
void add_convert(CLI::App& app, ConvertCommand& command);
void add_export(CLI::App& app, ExportCommand& command);

/// Throws ValueError where options do not go together.
void check_usage(const TrainCommand& train, const EvaluateCommand& evaluate, const PredictCommand& predict,
                 const UpdateCommand& update, const RecommendCommand& recommend, const InspectCommand& inspect,
                 const ConvertCommand& convert, const ExportCommand* export_command);

}  // namespace fm
