// What an op's launch() is given on an accelerator: as Call (op.h) for a kernel on the CPU, but all numbers lie in the
// device's memory. Shapes, patterns and row indices are known on the host as well. Numbers that are data the host must
// see where they may be wrong (the indices of a gather) or decide how large a result is (the rows that indices name,
// to_csr): a fed tensor's are at hand, others are waited for; and what follows from the feeds stands as long as these
// stay the same.
#pragma once

#include <gradus/core/device/device_pattern.h>
#include <gradus/core/graph/op.h>

#include <memory>
#include <span>
#include <vector>

namespace gradus {

/// What a plan knows of the numbers of a step's input.
struct KnownNumbers {
  const std::byte* here = nullptr;  // on the host; null: they are on the device alone
  bool of_feeds = false;            // whether they follow from feeds and constants, not from variables or chance
  bool unchanged = false;           // whether they are those of the step's last run
};

/// What a step keeps from run to run.
struct DeviceGrowing {
  DeviceMemory numbers;                       // of a sparse result
  std::shared_ptr<const CsrPattern> made_of;  // held, so that its memory is not used for another; of it was made:
  std::shared_ptr<const CsrPattern> made;
};

class DeviceCall {
 public:
  DeviceCall(const std::shared_ptr<Accelerator>& accelerator, DeviceIndices& indices,
             std::span<const Value* const> inputs, Value& output, DeviceMemory& scratch, DeviceGrowing& growing)
      : accelerator_(accelerator),
        indices_(indices),
        inputs_(inputs),
        output_(output),
        scratch_(scratch),
        growing_(growing) {}

  int arity() const { return static_cast<int>(inputs_.size()); }
  /// data points into the device's memory.
  const Value& in(int i) const { return *inputs_[static_cast<std::size_t>(i)]; }
  Value& out() { return output_; }
  Accelerator& accelerator() { return *accelerator_; }
  /// A csr value's pattern, and a rows or part value's index, on the device.
  DevicePattern& pattern(const Value& csr) { return indices_.of(csr.pattern); }
  const Index* held_rows(const Value& rows) { return indices_.of(rows.index); }

  /// Device memory for the length of the call, not initialised; a second call of scratch takes it back.
  std::byte* scratch(std::int64_t bytes);
  /// Makes the output a csr value on `pattern`, or a rows or part value on `index`, with room for its numbers.
  void set_pattern(std::shared_ptr<const CsrPattern> pattern);
  void set_index(std::shared_ptr<const RowIndex> index);
  /// The pattern that `make` makes of x's: that of the step's last run, if x has the same one still, so that it need
  /// not be uploaded again.
  template <class Make>
  std::shared_ptr<const CsrPattern> pattern_made_of(const Value& x, const Make& make) {
    if (growing_.made_of != x.pattern) {
      growing_.made = make(*x.pattern);
      growing_.made_of = x.pattern;
    }
    return growing_.made;
  }
  /// The same of the numbers of a dense input, which `make` is given on the host.
  template <class Make>
  std::shared_ptr<const CsrPattern> pattern_made_of_numbers(int i, const Make& make) {
    if (!unchanged(i)) growing_.made = make(numbers(i));
    return growing_.made;
  }

  /// Whether an input's numbers are known to be those of the step's last run: what was found of them holds. In a run
  /// that is recorded they are, if they follow from the feeds.
  bool unchanged(int i) const { return known_of(i).unchanged; }
  /// The numbers of an input on the host, until the next call of this. Those that are on the device alone are waited
  /// for. A run cannot be recorded where they depend on variables or on chance.
  std::span<const std::byte> numbers(int i);

  /// Launches a kernel with these arguments: numbers, pointers into the device's memory, and small structs of them,
  /// each of just the type that the kernel takes.
  template <class... Arguments>
  void launch(const KernelText& kernel, const Grid& grid, Arguments... arguments) {
    launch_on(*accelerator_, kernel, grid, arguments...);
  }

  /// Whether numbers decided what was launched, or whether anything was. With other feeds a run is another, then;
  bool looked_at_numbers() const { return looked_at_numbers_; }
  /// and where they do not follow from the feeds, every run is.
  bool looked_at_changing_numbers() const { return looked_at_changing_numbers_; }

  /// "(X, main.cpp:14)": how the user knows input i, for messages.
  std::string source(int i) const;

  Expr node;                                 // what is computed
  std::span<const KnownNumbers> known = {};  // by input; none: nothing is known
  std::uint64_t stream = 0;                  // the node's own stream of random numbers
  std::uint64_t run = 0;                     // the number of the run: with the stream, every run draws anew

 private:
  KnownNumbers known_of(int i) const { return known.empty() ? KnownNumbers() : known[static_cast<std::size_t>(i)]; }

  const std::shared_ptr<Accelerator>& accelerator_;
  DeviceIndices& indices_;
  std::span<const Value* const> inputs_;
  Value& output_;
  DeviceMemory& scratch_;
  DeviceGrowing& growing_;
  std::vector<std::byte> downloaded_;
  bool looked_at_numbers_ = false;
  bool looked_at_changing_numbers_ = false;
};

}  // namespace gradus
