// The one executor of elementwise ops: a row kernel driven over any layout and any broadcasting. Operands that
// lie in memory as the output does are read in place, single numbers are hoisted, and all others are laid out
// block by block in memory that stays in the L1 cache. Sparse values are loops over the elements they store.
#pragma once

#include <gradus/core/graph/op.h>

namespace gradus {

/// An elementwise step of a plan, decided once for the types of its operands.
class Loop {
 public:
  static constexpr int max_operands = 4;

  /// For messages, `op` is the op's name. The kernel's element sizes are those of the types given.
  Loop(const Op& op, RowKernel kernel, std::span<const Value* const> inputs, const Value& output);

  /// Whether operand i is read element by element in step with the output (so that they may share memory).
  bool in_step(int i) const { return operands_[static_cast<std::size_t>(i)].access == Access::in_step; }

  void run(Call& call) const;

  /// Whether one call of the kernel does it: a dense output, and operands that are read as they lie. Small steps are
  /// many, and run_plain does without what a Call brings; it keeps to the caller's thread.
  bool is_plain() const { return plain_; }
  void run_plain(std::span<const Value* const> inputs, const Value& output) const {
    std::array<const void*, max_operands> pointers{};
    for (std::size_t i = 0; i < inputs.size(); ++i) pointers[i] = inputs[i]->data;
    if (output.stored > 0) kernel_(pointers.data(), scalars_, output.data, output.stored);
  }

  /// Elements a thread takes at a time: less is not worth waking one.
  static constexpr std::int64_t chunk = 1 << 16;

 private:
  enum class Access : std::uint8_t {
    in_step,  // element j of the loop is element j of the operand
    number,   // one number for all
    strided,  // a dense operand: broadcast, or gathered by a sparse output
    narrow,   // rows narrower than the output's: broadcast along them
  };
  struct Operand {
    Access access = Access::in_step;
    std::size_t size = 0;  // bytes of an element
    // Strides of the operand along the output's axes, in elements; 0 where it is broadcast.
    std::array<std::int64_t, Shape::max_rank> stride{};
    bool repeats = false;  // laid out once, it is the same for every block
  };

  void lay_out(const Operand& operand, const Value& value, const Value& output, std::int64_t first, std::int64_t count,
               std::byte* to) const;
  void choose_block();
  bool rows_lie_as_read() const;
  void prepare_sparse_output(Call& call) const;
  void run_united(Call& call, std::array<const Value*, max_operands> in, std::size_t bytes) const;
  void run_blocks(Call& call, std::span<const Value* const> in) const;
  void run_rows(Call& call) const;

  std::string_view name_;
  RowKernel kernel_;
  int arity_;
  Layout layout_;
  std::size_t out_size_;
  std::array<Operand, max_operands> operands_{};
  unsigned scalars_ = 0;   // bit i: operand i is a number
  bool laid_out_ = false;  // whether some operand must be laid out block by block
  bool plain_;
  bool by_rows_ = false;    // whether the kernel is called for each row of the last axis, and nothing is laid out
  std::int64_t block_ = 0;  // elements laid out at a time
  // The output's space with neighbouring axes merged where every operand allows it.
  Shape space_;
};

}  // namespace gradus
