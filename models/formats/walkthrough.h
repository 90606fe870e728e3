// A run that can be watched: record_walkthrough trains in a session and keeps, for some of the steps, every value and
// every gradient of the loss's graph; write_page makes one HTML file of it, which needs no network. In a browser it
// shows the graph, the tensors, why each element is what it is, the source lines, the loss and the plan.
//
//   Walkthrough run = record_walkthrough(session, {.loss = loss, .train = train, .steps = 1000}, {{X, x}, {y, t}});
//   write_page(run, "article.html");
#pragma once

#include <gradus/core/run/session.h>
#include <gradus/ops/gradients.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gradus {

struct WalkthroughOptions {
  Expr loss = {};   // one floating number: its graph is shown
  Expr train = {};  // what a step runs; without it there are no steps
  std::int64_t steps = 100;
  std::string title = {};  // of the page; the loss's file without it
};

/// A tensor as a page has it. One of more than 4,096 elements is kept as the means of blocks, at most 64 rows by 64
/// columns, of the matrix of its last axis.
struct WalkthroughValue {
  Tensor numbers;
  bool whole = true;
  double least = 0, greatest = 0;  // where it is not whole
};

struct Walkthrough {
  /// What was computed in one run, before the variables moved; by node, and by part.
  struct Frame {
    std::int64_t step = 0;
    std::vector<WalkthroughValue> values;
    std::vector<std::optional<WalkthroughValue>> gradients;  // none where the loss does not depend on the node
    std::vector<std::optional<WalkthroughValue>> parts;      // of inputs with several; a single one is the gradient
  };
  /// The plan of a step without one pass (or all, or none), in a session like the one that was recorded.
  struct Plan {
    std::string without;  // "" or "all passes" or a pass
    PlanSteps steps;
    std::vector<double> seconds;  // of each step of the plan, median; 0 where it is not measured
  };

  std::string title;
  std::vector<Expr> nodes;          // that the loss needs, oldest first; the graph must live until the page is written
  std::vector<GradientPart> parts;  // in the order of the backward walk
  std::vector<Frame> frames;        // the first and the last step, and some between, by step
  std::vector<double> losses;       // before each step, and after the last
  std::vector<Plan> plans;          // the first is without nothing
};

/// Runs `train` options.steps times, as a loop over session.run would, and records. It appends the gradients of all
/// floating nodes to the session's graph. Throws TypeError unless the loss is one floating number of that graph, and
/// ValueError for more than 400 nodes or 1,000,000 steps.
Walkthrough record_walkthrough(Session& session, const WalkthroughOptions& options, const Feeds& feeds = {});

struct PageOptions {
  std::int64_t usual_bytes = 1'000'000;  // frames are left out of a page that would be larger
  std::int64_t most_bytes = 4'194'304;   // refused, with no more than two frames left
};

/// The page. Source lines come from the files where the nodes were made, as far as they can be read. Throws ValueError
/// where the page would be larger than most_bytes.
std::string to_html(const Walkthrough& run, const PageOptions& options = {});
/// Writes to_html to a file, whole or not at all. Throws as it does, and IoError.
void write_page(const Walkthrough& run, const std::string& path, const PageOptions& options = {});

}  // namespace gradus
