#include <gradus/core/device/device_loop.h>

#include <gradus/core/at.h>
#include <gradus/core/kernel/sparse_union.h>
#include <gradus/core/plan/build_kernel.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

using What = GpuArgument::What;
using Form = GpuText::Form;

constexpr std::int64_t most_blocks = 4096;
constexpr int threads = 256;
constexpr std::size_t longest_name = 48;

// The pieces of each row, in their order; of each column of its matrix, where it has one.
const KernelText fold_pieces{"fold_pieces",
                             R"(
extern "C" __global__ void NAME(gr_int64 rows, gr_int64 pieces, const W* parts, T* folded) {
  for (gr_int64 r = blockIdx.x; r < rows; r += gridDim.x) {
    W sum = F::start<W>();
    for (gr_int64 k = threadIdx.x; k < pieces; k += blockDim.x) sum = F::fold(sum, parts[r * pieces + k]);
    sum = gr_block_fold<F>(sum);
    if (threadIdx.x == 0) folded[r / columns * row + r % columns * across] = T(sum * scale());
  }
}
)",
                             {}};

// Numbers to the places that they have among more.
const KernelText spread_numbers{"spread",
                                R"(
extern "C" __global__ void NAME(gr_int64 n, const gr_int64* place, const T* from, T* to) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) to[place[i]] = from[i];
}
)",
                                {}};

std::string name_of(const Program& program, std::span<const int> nodes) {
  std::string name;
  for (const int id : nodes) {
    const std::string_view op = program.nodes[at(id)].op->name();
    if (name.size() + op.size() > longest_name) return name + "_and_more";
    name += (name.empty() ? "" : "_") + std::string(op);
  }
  return name;
}

std::string settings_of(const Kernel::Fold& fold) {
  const Fold::Matrix matrix = fold.matrix.value_or(Fold::Matrix{1, 0, 0, 1, 0});
  return fmt::format(
      "using T = {}; using W = {}; using F = {}; __device__ inline {} scale() {{ return {}; }} constexpr gr_int64 "
      "columns = {}, row = {}, across = {};",
      cuda_name(fold.dtype), fold_type(fold), fold_name(fold.by), is_floating(fold.dtype) ? "double" : "int",
      is_floating(fold.dtype) ? double_text(fold.scale) : "1", matrix.columns, matrix.result_row, matrix.result_across);
}

bool is_sparse(const Value& value) { return value.type.layout != Layout::dense; }

// Where each number that `value` stores stands among those of the pattern or index, which has all of its positions.
std::vector<std::int64_t> places_among(const Value& value, const CsrPattern* pattern, const RowIndex* index) {
  std::vector<std::int64_t> places;
  places.reserve(static_cast<std::size_t>(value.stored));
  if (pattern != nullptr) {
    for (std::size_t row = 0; row < static_cast<std::size_t>(pattern->rows); ++row) {
      std::int64_t to = pattern->row_start[row];
      for (std::int64_t p = value.pattern->row_start[row]; p < value.pattern->row_start[row + 1]; ++p) {
        const Index column = value.pattern->column[static_cast<std::size_t>(p)];
        while (pattern->column[static_cast<std::size_t>(to)] != column) ++to;
        places.push_back(to);
      }
    }
    return places;
  }
  std::int64_t to = 0;
  const std::int64_t width = value.row_size();
  for (const Index row : value.index->row) {
    while (index->row[static_cast<std::size_t>(to)] != row) ++to;
    for (std::int64_t j = 0; j < width; ++j) places.push_back(to * width + j);
  }
  return places;
}

}  // namespace

DeviceLoop::DeviceLoop(const Program& program, std::span<const int> nodes, const MemoryPlan& memory,
                       std::vector<Value>& values)
    : program_(program),
      values_(values),
      nodes_(nodes.begin(), nodes.end()),
      kernel_(make_kernel(program, nodes, memory)),
      name_(name_of(program, nodes)),
      text_(gpu_text(kernel_)),
      pointers_(text_.arguments.size()),
      united_(text_.arguments.size()) {
  for (const Kernel::Step& step : kernel_.steps)
    if (step.stored && is_sparse(value(step.node))) grown_.push_back({step.node, {}});
  for (const Kernel::Fold& fold : kernel_.folds)
    if (text_.split) pieces_.push_back({&fold, settings_of(fold), {}});
}

void DeviceLoop::run(const std::shared_ptr<Accelerator>& accelerator, DeviceIndices& indices) {
  accelerator_ = accelerator;
  const bool united = kernel_.space.layout != Layout::dense && prepare_sparse();
  collect_pointers(indices, united);
  if (text_.form == Form::elements) {
    run_elements();
  } else {
    run_folds();
  }
  pattern_.reset();
  index_.reset();
  accelerator_.reset();
}

// What the elements are: the first operand that is no result of this step says it.
bool DeviceLoop::prepare_sparse() {
  bool united = false;
  for (const GpuArgument& argument : text_.arguments) {
    if (argument.what != What::read || !is_sparse(value(argument.node))) continue;
    const Value& operand = value(argument.node);
    if (!pattern_ && !index_) {
      pattern_ = operand.pattern;
      index_ = operand.index;
      continue;
    }
    const bool same = pattern_ ? operand.pattern == pattern_ : operand.index == index_;
    if (same) continue;
    Value first;
    first.type = operand.type;
    first.pattern = pattern_;
    first.index = index_;
    if (same_non_zeros(first, operand)) continue;
    unite_operands();
    united = true;
    break;
  }
  for (Grown& grown : grown_) set_sparse_result(grown);
  // Results that stay in registers still say how many there are.
  for (const int id : nodes_)
    if (Value& v = value(id); is_sparse(v)) {
      v.pattern = pattern_;
      v.index = index_;
      v.stored = pattern_ ? pattern_->non_zeros() : index_->count() * v.row_size();
    }
  return united;
}

void DeviceLoop::set_sparse_result(Grown& grown) {
  Value& v = value(grown.node);
  const std::int64_t stored = pattern_ ? pattern_->non_zeros() : index_->count() * v.row_size();
  grown.numbers.reserve(accelerator_, stored * static_cast<std::int64_t>(size_of(v.type.dtype)));
  v.data = grown.numbers.data();
}

// Two operands with different non-zeros are brought to the union first (the type rule admits that only for functions
// that are zero where all sparse operands are).
void DeviceLoop::unite_operands() {
  std::vector<std::size_t> sparse;
  for (std::size_t a = 0; a < text_.arguments.size(); ++a)
    if (text_.arguments[a].what == What::read && is_sparse(value(text_.arguments[a].node))) sparse.push_back(a);
  const ProgramNode& node = program_.nodes[static_cast<std::size_t>(nodes_.front())];
  if (sparse.size() != 2 || node.inputs.size() != 2 || node.type.layout == Layout::part)
    fail<ValueError>("{}: its sparse operands hold different {}", node.op->name(),
                     kernel_.space.layout == Layout::csr ? "non-zeros" : "rows");
  const Value& a = value(text_.arguments[sparse[0]].node);
  const Value& b = value(text_.arguments[sparse[1]].node);
  const bool csr = kernel_.space.layout == Layout::csr;
  const std::array<std::shared_ptr<const void>, 2> of =
      csr ? std::array<std::shared_ptr<const void>, 2>{a.pattern, b.pattern}
          : std::array<std::shared_ptr<const void>, 2>{a.index, b.index};
  const bool others = union_.of != of;
  if (others) union_.of = {};  // until all is there
  if (others && csr) {
    union_.pattern = unite(*a.pattern, *b.pattern);
  } else if (others) {
    auto both = std::make_shared<RowIndex>();
    unite(*a.index, *b.index, *both);
    union_.index = both;
  }
  pattern_ = union_.pattern;
  index_ = union_.index;
  for (std::size_t i = 0; i < sparse.size(); ++i) {
    const std::size_t argument = sparse[i];
    const Value& from = value(text_.arguments[argument].node);
    const auto size = static_cast<std::int64_t>(size_of(from.type.dtype));
    const std::int64_t stored = pattern_ ? pattern_->non_zeros() : index_->count() * from.row_size();
    DeviceMemory& memory = united_[argument];
    memory.reserve(accelerator_, stored * size);
    if (stored > 0) accelerator_->set_zero(memory.data(), stored * size);
    if (from.stored == 0) continue;
    DeviceMemory& there = union_.places[i];
    if (others) {
      const std::vector<std::int64_t> places = places_among(from, pattern_.get(), index_.get());
      const auto bytes = static_cast<std::int64_t>(places.size() * sizeof(std::int64_t));
      there.reserve(accelerator_, bytes);
      accelerator_->upload(there.data(), reinterpret_cast<const std::byte*>(places.data()), bytes);
    }
    KernelText kernel = spread_numbers;
    kernel.settings = using_type(from.type.dtype);
    launch_on(*accelerator_, kernel, grid_for(from.stored), from.stored, there.data(), from.data, memory.data());
  }
  union_.of = of;
}

void DeviceLoop::collect_pointers(DeviceIndices& indices, bool united) {
  for (std::size_t a = 0; a < text_.arguments.size(); ++a) {
    const auto [what, node] = text_.arguments[a];
    switch (what) {
      case What::row_start: pointers_[a] = indices.of(pattern_).row_start(); break;
      case What::column: pointers_[a] = indices.of(pattern_).column(); break;
      case What::row: pointers_[a] = indices.of(pattern_).row(); break;
      case What::held_rows: pointers_[a] = indices.of(index_); break;
      case What::parts: break;  // there is room for them once their number is known
      default: pointers_[a] = value(node).stored > 0 ? value(node).data : nullptr;
    }
    if (united && what == What::read && is_sparse(value(node))) pointers_[a] = united_[a].data();
  }
}

void DeviceLoop::launch(Grid grid, std::span<const std::int64_t> numbers) {
  if (compiled_ == nullptr) compiled_ = &accelerator_->compile(kernel());
  arguments_.clear();
  for (const std::int64_t& number : numbers) arguments_.push_back({&number, sizeof number});
  for (const void* const& pointer : pointers_) arguments_.push_back({&pointer, sizeof pointer});
  accelerator_->launch(*compiled_, grid, arguments_);
}

void DeviceLoop::run_elements() {
  const std::int64_t n = value(nodes_.front()).stored;
  if (n == 0) return;
  const bool aligned = std::all_of(pointers_.begin(), pointers_.end(),
                                   [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; });
  const std::int64_t packs = aligned && text_.packed ? n / text_.lanes : 0;
  const std::int64_t numbers[] = {n, packs};
  launch(grid_for(packs > 0 ? packs + 1 : n, threads), numbers);
}

void DeviceLoop::run_folds() {
  const std::int64_t rows = text_.rows;
  if (rows == 0) return;
  const std::int64_t length = pattern_ ? pattern_->non_zeros() / rows : text_.length;
  if (text_.form == Form::warps) {
    const std::int64_t teams = threads / text_.lanes, at_once = teams * std::max(1, text_.at_once);
    const std::int64_t numbers[] = {rows, length};
    launch({std::min(most_blocks, (rows + at_once - 1) / at_once), threads}, numbers);
    return;
  }
  // Pieces depend on the shape alone, so that sums are the same bits on every device.
  const std::int64_t piece = text_.piece_length(length);
  const std::int64_t pieces = text_.split ? std::max<std::int64_t>(1, (length + piece - 1) / piece) : 1;
  for (Pieces& parts : pieces_) {
    const std::int64_t sums = rows * pieces * parts.fold->width();
    parts.parts.reserve(accelerator_, sums * static_cast<std::int64_t>(sizeof(std::int64_t)));
    for (std::size_t a = 0; a < text_.arguments.size(); ++a)
      if (text_.arguments[a].what == What::parts && text_.arguments[a].node == parts.fold->node)
        pointers_[a] = parts.parts.data();
  }
  const std::int64_t numbers[] = {rows, length, pieces, piece};
  const std::int64_t tiles = (rows + text_.neighbours() - 1) / text_.neighbours();
  launch({std::min(most_blocks, tiles * pieces), threads}, numbers);
  for (Pieces& parts : pieces_) {
    const std::int64_t sums = rows * parts.fold->width();
    KernelText kernel = fold_pieces;
    kernel.settings = parts.settings;
    launch_on(*accelerator_, kernel, {std::min(most_blocks, sums), threads}, sums, pieces, parts.parts.data(),
              value(parts.fold->node).data);
  }
}

}  // namespace gradus
