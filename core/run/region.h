// The executor of a region (see schedule.h): its nodes for one tile of rows after the other. Tiles are shared out
// among the threads in pieces whose bounds depend on the sizes alone; each piece sums in memory of its own, and the
// sums are added in the order of the pieces, so results are the same bits with any number of threads.
#pragma once

#include <gradus/core/kernel/compiled_kernel.h>
#include <gradus/core/kernel/loop.h>
#include <gradus/core/plan/build_kernel.h>
#include <gradus/core/plan/memory.h>
#include <gradus/core/run/recorder.h>
#include <gradus/core/run/steps.h>
#include <gradus/core/run/working_memory.h>

#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace gradus {

class Region {
 public:
  /// `values` are the plan's, by node; `memory` says which results of the region are needed outside it and have their
  /// memory there. The region works in `working`, from `growing` on of its values that grow. All of them outlive it.
  Region(const Program& program, const Schedule& schedule, const Group& group, const MemoryPlan& memory,
         std::vector<Value>& values, WorkingMemory& working, std::size_t& growing);

  /// Finds out how many rows there are in this run, and makes room for all that is computed: before run(), and, where
  /// the region writes variables, before any is written.
  void make_room(Workers& workers);
  void run(Workers& workers, std::uint64_t run_number, Recorder* recorder);

  int size() const { return static_cast<int>(members_.size()); }
  /// Memory for what only the region needs, in bytes; several tiles at once have it each.
  std::int64_t bytes() const { return bytes_; }
  /// Memory for what the tiles add up, likewise.
  std::int64_t sum_bytes() const { return sum_bytes_; }
  /// How many tiles have such memory; 0 where only a run knows.
  std::int64_t pieces() const { return along_held_rows() ? 0 : pieces_used_; }
  /// Members that are one kernel; `first` is a place among them.
  std::vector<StepKernel> kernels() const;

 private:
  struct Member {
    int node;
    Tiles tiles;
    Value* table = nullptr;  // the variable whose rows the tile replaces
    std::size_t growing;     // of a result that exists as a whole and whose size only the run knows: its number
  };
  // A member's work on one piece.
  struct Task {
    std::optional<Loop> loop;
    std::vector<const Value*> inputs;
    Value* output;
    Buffer part;                // of a sum that the kernel does not add itself
    std::vector<double> total;  // of its parts: float32 sums of many tiles are right to rounding

    void add_part();
  };
  struct Write {
    const Value* value;
    Task* sum = nullptr;  // whose part it is
  };
  // Members that are one kernel. While it has no function, their own loops do the work.
  struct Compiled {
    std::size_t first, end;  // members
    PlanKernel kernel;
    std::int64_t row_elements;                    // of the kernel's space, for a row of the region
    std::int64_t inner;                           // Kernel::inner()
    bool looks_up;                                // Kernel::looks_up()
    CompiledKernel::Function function = nullptr;  // in the run at hand
  };
  // What a kernel is given in one piece, in the order of CompiledKernel::Function.
  struct KernelTask {
    std::vector<const Value*> reads;
    std::vector<Write> writes;
    std::vector<const void*> in;
    std::vector<void*> out;
    std::vector<std::int64_t> in_step, out_step;  // bytes of a row of the region
    const Value* rows = nullptr;                  // where the space is the rows of a table
  };
  // What a tile reads or writes of a tensor that is there as a whole.
  struct Slice {
    Value* tile;
    const Value* whole;
    std::int64_t unit;       // rows of it that are a row of the region
    std::int64_t row_bytes;  // of a dense one, for a row of the region
  };
  struct Own {
    Value* tile;
    std::int64_t unit;
    std::int64_t offset;  // in the lane's memory; -1 for what grows
  };
  // A piece at work: the values of its current tile.
  struct Piece {
    std::vector<std::unique_ptr<Value>> values;
    std::vector<Slice> slices;
    std::vector<Own> own;  // what lies in the lane's memory
    std::vector<Task> tasks;
    std::vector<KernelTask> kernels;  // by kernel
  };

  int member_of(int root) const;                      // -1 for a node outside
  Type cut(Type type) const;                          // with the axes that tiles cut as one
  std::int64_t row_bytes_of(const Type& type) const;  // for a row of the region
  bool along_held_rows() const { return active_in_ >= 0; }
  void choose_pieces();
  void make_piece();
  void prepare_rows(Workers& workers);
  void prepare_sums(Workers& workers);
  void run_piece(std::size_t piece, std::uint64_t run_number, Recorder* recorder);
  void form_kernels(const Group& group, const std::vector<bool>& read_outside);
  void choose_functions();
  static void point(KernelTask& task);
  void run_kernel(KernelTask& task, const Compiled& kernel, std::int64_t rows) const;
  void run_kernels(Piece& piece, int lane, std::int64_t begin, std::int64_t end, Recorder* recorder) const;
  void run_member(Piece& piece, WorkingMemory::Lane& lane, std::size_t m, std::uint64_t run_number);
  static void set_rows(Value& tile, std::int64_t rows);
  void set_tile(Piece& piece, std::byte* memory, std::int64_t first, std::int64_t count) const;
  void hold_rows(Value& tile, std::int64_t first, std::int64_t count) const;
  void add_sums(Workers& workers);
  const ProgramNode& node(int id) const { return program_.nodes[static_cast<std::size_t>(id)]; }

  const Program& program_;
  const MemoryPlan& memory_;
  std::vector<Value>& values_;
  std::vector<Member> members_;
  std::unordered_map<int, int> member_of_;  // by node
  std::vector<int> sums_;                   // members that give a part of a sum
  std::vector<int> whole_rows_;             // members that give rows or a part which exists as a whole
  std::vector<Compiled> kernels_;
  bool only_kernels_ = false;  // in the run at hand, each with a function
  int active_in_;
  std::shared_ptr<const RowIndex> index_;  // of the rows held, in a run
  std::int64_t rows_;
  std::int64_t tile_rows_;
  std::int64_t bytes_ = 0;
  std::int64_t row_traffic_ = 0;  // bytes
  std::int64_t sum_bytes_ = 0;
  std::int64_t pieces_used_ = 0;
  std::vector<std::int64_t> offset_;  // by member: in a piece's memory, or -1
  std::vector<Piece> pieces_;
  std::vector<std::size_t> sum_offset_;  // by sum: in a lane's memory of sums
  Workers alone_{1};
  WorkingMemory& working_;
};

}  // namespace gradus
