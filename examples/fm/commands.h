// The commands of `fm`: what each is told, and the functions that do it. They print on standard output, and throw
// gradus::Error with one line for what goes wrong; what is done lies in models/.
#pragma once

#include <gradus/core/cluster/communicator.h>
#include <gradus/models/data/data_cache.h>
#include <gradus/models/training/training_data.h>
#include <gradus/models/training/training_options.h>

#include <optional>
#include <string>
#include <vector>

namespace fm {

/// What several commands have in common.
struct Common {
  bool json = false;
  int threads = 0;
  std::string device = "cpu";
  std::optional<gradus::Communicator> ranks = {};  // none: the program is alone
  double shard_above = 256;                        // MiB
  /// Whether this process prints and writes files.
  bool writes() const { return !ranks || ranks->rank() == 0; }
};

/// How a data file is told on the command line.
struct DataArguments {
  gradus::DataFile file;
  std::string format = "guess";
  std::string delimiter, decimal;
  bool sum_duplicates = false, keep_first_field = false;
};

struct TrainCommand {
  Common common;
  DataArguments data;
  std::string validation, validation_weights, test;
  std::string model;                  // "": not kept
  std::string from;                   // a model to go on from; "": none
  std::vector<std::string> items;     // columns of a ranking's items
  std::vector<std::string> join, on;  // tables and the columns by which they are joined, as many
  gradus::TrainingOptions options;
  std::string log, tensorboard, report, walkthrough;  // "": none
  std::string config, save_config;                    // "": none
  std::string config_text;                            // what to write there
  bool overwrite = false;
  std::int64_t checkpoint_every = 0;
  std::int64_t rank_timeout = 600;  // seconds
  bool resume = false, quiet = false;
  std::int64_t folds = 0;  // of a cross-validation; 0: none
  bool search = false;
  std::string command_line;  // to say how to go on
};

struct EvaluateCommand {
  Common common;
  std::string model;
  DataArguments data;
  std::string by;  // a column, for metrics of its values; "": none
  // How good the first `top` recommendations are; 0: not asked.
  std::int64_t top = 0;
  std::string item, candidates, without;
  std::vector<std::string> where;
  std::optional<double> liked;
};

struct PredictCommand {
  Common common;
  std::string model;
  DataArguments data;
  std::string out = "-";
  bool probabilities = false;
  bool deviations = false;
  bool overwrite = false;
};

struct UpdateCommand {
  Common common;
  std::string model;
  DataArguments data;
  std::string out;  // "": none, and
  bool in_place = false;
  bool overwrite = false;
};

struct RecommendCommand {
  Common common;
  std::string model;
  std::optional<std::string> user;
  std::vector<std::string> cells;  // of the context, as age=30
  std::string contexts;            // a file of them; "": none
  std::string by, item;            // columns of users and of what is recommended; "": by their names
  std::string candidates, without;
  std::vector<std::string> where;  // cells of the candidates, as genre=Comedy
  std::int64_t count = 10;
  std::string out = "-";
  bool overwrite = false;
};

struct InspectCommand {
  Common common;
  std::string model;
  std::int64_t count = 10;
  std::string feature;
};

struct ExportCommand {
  Common common;
  std::string model, onnx, c_header;  // "": not written
  bool overwrite = false;
};

struct ConvertCommand {
  Common common;
  DataArguments data;
  std::string model, out;
  bool overwrite = false;
  std::int64_t block_rows = gradus::DataCacheOptions().block_rows;
};

// Each returns the exit code.
int train(const TrainCommand& command);
int evaluate(const EvaluateCommand& command);
int evaluate_top(const EvaluateCommand& command);  // where command.top > 0
int predict(const PredictCommand& command);
int update(const UpdateCommand& command);
int recommend(const RecommendCommand& command);
int inspect(const InspectCommand& command);
int convert(const ConvertCommand& command);
int export_model(const ExportCommand& command);

/// The file as the arguments say. Throws ValueError for a format or delimiter that there is not.
gradus::DataFile data_file(const DataArguments& data);

/// Throws ValueError where no device is called so; whether there is one is another question.
void check_device(const std::string& device);

}  // namespace fm
