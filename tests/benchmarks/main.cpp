// Runs the benchmarks and ends with a table: Gradus beside the hand-written loops, their ratio, and whether it meets
// its target. --ratios=FILE also writes the table as JSON; all other options are Google Benchmark's. Fails when a row
// is in error, not when one misses its target.
#include "measure.h"

#include <cblas.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Json = nlohmann::ordered_json;

// Collects the compared rows while Google Benchmark's own table is printed.
class Collector final : public benchmark::ConsoleReporter {
 public:
  Collector() : ConsoleReporter(OO_None) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) collect(run);
    ConsoleReporter::ReportRuns(runs);
  }

  const Json& rows() const { return rows_; }
  /// A last row: the geometric mean of the ratios of formulas from papers, where several ran.
  void add_mean_of_papers() {
    double logarithms = 0;
    int count = 0;
    for (const Json& row : rows_) {
      if (!row["work"].get<std::string>().starts_with("paper ")) continue;
      logarithms += std::log(row["ratio"].get<double>());
      ++count;
    }
    if (count < 2) return;
    rows_.push_back({{"work", fmt::format("mean of {} papers", count)},
                     {"threads", 1},
                     {"gradus_s", nullptr},
                     {"loop_s", nullptr},
                     {"ratio", std::exp(logarithms / count)},
                     {"target", 1.5}});
  }
  bool failed() const { return failed_; }
  const std::vector<std::string>& skipped() const { return skipped_; }

 private:
  void collect(const Run& run) {
    const std::string work = run.run_name.function_name;
    if (run.error_occurred) {
      skipped_.push_back(fmt::format("{}: {}", work, run.error_message));
      if (!run.error_message.starts_with("skipped")) failed_ = true;
      return;
    }
    if (!run.counters.contains("ratio")) return;
    const auto counter = [&](const char* name) -> Json {
      const auto found = run.counters.find(name);
      return found == run.counters.end() ? Json() : Json(static_cast<double>(found->second));
    };
    Json row;
    row["work"] = work.substr(0, work.find('/'));
    row["threads"] = static_cast<int>(run.counters.at("threads"));
    for (const char* name : {"gradus_s", "loop_s", "ratio", "target"}) row[name] = counter(name);
    for (const auto& [name, value] : run.counters)
      if (!row.contains(name)) row[name] = static_cast<double>(value);
    if (!run.report_label.empty()) row["data"] = run.report_label;
    rows_.push_back(row);
  }

  Json rows_ = Json::array();
  std::vector<std::string> skipped_;
  bool failed_ = false;
};

std::string shown_time(const Json& time) {
  if (time.is_null()) return "";
  const auto seconds = time.get<double>();
  if (seconds < 1e-3) return fmt::format("{:.3g} us", seconds * 1e6);
  return fmt::format("{:.3g} ms", seconds * 1e3);
}

void print_table(const Collector& collected) {
  fmt::print("\n{:<18}{:>8}{:>12}{:>12}{:>8}{:>8}\n", "work", "threads", "Gradus", "loop", "ratio", "target");
  for (const Json& row : collected.rows()) {
    fmt::print("{:<18}{:>8}{:>12}{:>12}{:>8.2f}", row["work"].get<std::string>(), row["threads"].get<int>(),
               shown_time(row["gradus_s"]), shown_time(row["loop_s"]), row["ratio"].get<double>());
    if (!row["target"].is_null())
      fmt::print("{:>8.2f}  {}", row["target"].get<double>(), row["ratio"] <= row["target"] ? "met" : "MISSED");
    if (row.contains("speedup"))
      fmt::print("{:>10}{:.2f} times as fast as with one thread; two loops at once: {:.2f}", "",
                 row["speedup"].get<double>(), row["machine_speedup"].get<double>());
    if (row.contains("loop_growth"))
      fmt::print("; the ratio is to 1 M; of the loop: {:.2f}", row["loop_growth"].get<double>());
    if (row.contains("data")) fmt::print("  ({})", row["data"].get<std::string>());
    fmt::print("\n");
  }
  for (const std::string& reason : collected.skipped()) fmt::print("{}\n", reason);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::string_view ratios_option = "--ratios=";
  std::string ratios;
  std::vector<char*> others;
  for (int i = 0; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option.starts_with(ratios_option)) {
      ratios = option.substr(ratios_option.size());
    } else {
      others.push_back(argv[i]);
    }
  }
  int count = static_cast<int>(others.size());
  others.push_back(nullptr);
  benchmark::AddCustomContext("openblas_core", openblas_get_corename());
  benchmark::Initialize(&count, others.data());
  if (benchmark::ReportUnrecognizedArguments(count, others.data())) return 2;

  bench::add_fm_rows();
  bench::add_batch_rows();
  bench::add_mlp_rows();
  bench::add_cost_rows();
  bench::add_scaling_rows();
  bench::add_narrow_rows();
  bench::add_paper_factor_rows();
  bench::add_paper_field_rows();
  bench::add_paper_text_rows();
  bench::add_paper_dense_rows();
  bench::add_one_hot_rows();
  bench::add_shape_rows();
  bench::add_spelling_rows();
  bench::add_sampler_rows();
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  benchmark::Shutdown();
  collector.add_mean_of_papers();

  print_table(collector);
  if (!ratios.empty()) {
    std::ofstream file(ratios);
    file << collector.rows().dump(2) << "\n";
    if (!file.flush()) {
      fmt::print(stderr, "{}: cannot be written\n", ratios);
      return 1;
    }
  }
  return collector.failed() ? 1 : 0;
}
