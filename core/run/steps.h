// A plan as data: what Session::steps gives, and explain and profile print. Every value of a plan has an id, its place
// in the list: first what a run is given (placeholders, variables, constants), then what is computed, in the order of
// work, so that a step reads lower ids than its own.
#pragma once

#include <gradus/core/graph/attributes.h>
#include <gradus/core/graph/graph.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gradus {

/// How a value comes about.
enum class StepForm : std::uint8_t {
  placeholder,
  variable,
  constant,
  view,  // the numbers of its input, perhaps under another shape: nothing is computed
  loop,  // element by element
  call,  // by a kernel of the op's own
  host,  // element by element on the host, in the plan of a device
  copy,  // the new value of a variable is copied to it when the run ends
};

/// Where a step writes its value.
enum class StepPlace : std::uint8_t {
  none,       // given values and views: nothing is written
  arena,      // at PlanStep::offset
  variable,   // over the old value of a variable
  rows,       // to rows of a variable
  grows,      // in memory of its own, which grows with what a run needs and is kept
  tile,       // a tile at a time, in the cache: the value is never there as a whole
  registers,  // in the loop that reads it: never in memory
};

struct StepInput {
  int id = -1;  // -1 where the step needs the shape alone
  Type type;
};

/// A node of the user's graph.
struct StepNode {
  std::string name;
  Location where;
};

struct PlanStep {
  int id = 0;
  StepForm form = StepForm::loop;
  std::string op;
  Attributes attributes;            // axes=[1]; the value of a constant of one element
  std::string name;                 // of a placeholder, a variable or a constant that the user named
  Location where;                   // of the user's line that it is for
  std::vector<StepNode> nodes;      // whose value this is; none for what the plan has put between
  std::vector<StepNode> including;  // whose work this does, and which have no value of their own
  std::vector<StepInput> inputs;    // in the op's order
  Type type;                        // its shape known
  StepPlace place = StepPlace::none;
  std::int64_t offset = -1;  // bytes into the arena
  int target = -1;           // the variable that is written
  int group = -1;            // in PlanSteps::groups
  int kernel = -1;           // in PlanSteps::kernels
  bool fetched = false;
  /// Bytes of the value, written where `place` says. Of a sparse value only a run knows them: then this is the most
  /// that they can be.
  std::int64_t bytes = 0;
  /// Of a sparse value, bytes for each row that it holds or, of a csr one, for each non-zero; an index of its own is in
  /// them. Otherwise 0.
  std::int64_t bytes_each = 0;
  int each_of = -1;  // the csr value whose active columns are those rows, or whose non-zeros are those; -1: its own

  bool is_given() const { return form <= StepForm::constant; }
  bool is_computed() const { return form == StepForm::loop || form == StepForm::call || form == StepForm::host; }
};

/// Steps that run together: on the CPU a region, for one tile of rows after the other; on a device one kernel.
struct StepGroup {
  std::string kernel = {};       // its name, on a device,
  std::string text = {};         // and its text, in CUDA C++
  std::int64_t rows = 0;         // of a region; 0 where only a run knows them
  int rows_of = -1;              // the csr value whose active columns are the rows of the region
  std::int64_t tile_rows = 0;    // in a tile
  std::int64_t tile_bytes = 0;   // memory of a tile
  std::int64_t sum_bytes = 0;    // memory for what the tiles add up, which all but the first have
  std::int64_t tiles = 0;        // that have such memory at once; 0 where only a run knows them
  std::int64_t dense_bytes = 0;  // of dense tensors, that it reads and writes
};

/// Steps of a region that one loop computes, element by element, as soon as the machine's compiler has made it: until
/// then they run one after the other. Both give the same numbers.
struct StepKernel {
  int first = 0;          // step
  int count = 0;          // of steps
  std::string state;      // word_of(CompiledKernel::State)
  std::string text;       // in C++
  std::string any_width;  // the same for rows of a table, however wide; empty where it is of no such
};

struct PlanSteps {
  std::vector<PlanStep> list;  // by id
  std::vector<StepGroup> groups;
  std::vector<StepKernel> kernels;  // on the CPU
  std::string device;
  std::string launch;  // on a device: whether a run is one launch, or why not
  std::int64_t arena_bytes = 0;
};

/// "%7 = square(%3 V)"; "%3 = variable V".
std::string formula(const PlanSteps& steps, int id);
/// "float32 [5, 16]  loop  at 64  # pow, article.cpp:21".
std::string details(const PlanSteps& steps, int id);
/// The list, a line for each value, what memory it takes, and what the words in it mean; where it is asked for, also
/// the text of each kernel.
std::string to_string(const PlanSteps& steps, bool with_kernels = false);

}  // namespace gradus
