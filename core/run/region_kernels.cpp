// The kernels of a region.
#include <gradus/core/run/region.h>

#include <gradus/core/at.h>
#include <gradus/core/kernel/kernel.h>

#include <algorithm>

namespace gradus {

void Region::form_kernels(const Group& group, const std::vector<bool>& read_outside) {
  for (std::size_t k = 0; k < group.kernels.size(); ++k) {
    const std::size_t first = group.kernels[k].first, count = group.kernels[k].count;
    const auto stored = [&](int id) { return memory_.kept[at(id)] || read_outside[at(member_of(id))]; };
    const auto table = [&](int id) { return memory_.scattered[at(id)]; };
    const std::span<const int> nodes = std::span(group.nodes).subspan(first, count);
    Kernel kernel = make_kernel(program_, *kernel_space(program_, nodes.front()), nodes, false, stored, table);
    const Shape& shape = node(nodes.front()).type.shape;
    const std::int64_t elements = shape.size() / std::max<std::int64_t>(1, along_held_rows() ? shape[0] : rows_);
    const std::int64_t inner = kernel.inner();
    const bool looks_up = kernel.looks_up();
    kernels_.push_back({first, first + count, PlanKernel(std::move(kernel)), elements, inner, looks_up});
  }
}

std::vector<StepKernel> Region::kernels() const {
  std::vector<StepKernel> all;
  for (const Compiled& kernel : kernels_)
    all.push_back({static_cast<int>(kernel.first), static_cast<int>(kernel.end - kernel.first),
                   word_of(kernel.kernel.state()), kernel.kernel.text(), any_width_text(kernel.kernel.kernel())});
  return all;
}

// One function for all tiles of a run.
void Region::choose_functions() {
  for (Compiled& kernel : kernels_)
    kernel.function = kernel.kernel.function(rows_ * kernel.row_elements * std::ssize(kernel.kernel.kernel().steps));
  std::size_t covered = 0;  // members
  for (const Compiled& kernel : kernels_) covered += kernel.function != nullptr ? kernel.end - kernel.first : 0;
  only_kernels_ = covered == members_.size() && !along_held_rows();
}

// Gives the kernel the tile at hand.
void Region::point(KernelTask& task) {
  for (std::size_t k = 0; k < task.reads.size(); ++k) task.in[k] = task.reads[k]->data;
  for (std::size_t k = 0; k < task.writes.size(); ++k)
    task.out[k] = task.writes[k].sum != nullptr ? task.writes[k].sum->part.data() : task.writes[k].value->data;
}

void Region::run_kernel(KernelTask& task, const Compiled& kernel, std::int64_t rows) const {
  const Index* held = nullptr;
  std::int64_t last = 0;
  if (kernel.looks_up) {
    const std::span<const Index> all(task.rows->index->row);
    held = all.data() + task.rows->first_row;
    last = std::ssize(all) - task.rows->first_row - 1;
  }
  kernel.function(rows * kernel.row_elements / kernel.inner, task.in.data(), task.out.data(), held, last, kernel.inner);
  for (const Write& write : task.writes)
    if (write.sum != nullptr) write.sum->add_part();
}

// Where there is nothing but kernels, they need no more of a tile than where it is: what describes the values would
// come and go through the cache with each.
void Region::run_kernels(Piece& piece, int lane, std::int64_t begin, std::int64_t end, Recorder* recorder) const {
  for (KernelTask& task : piece.kernels) point(task);
  for (std::int64_t first = begin; first < end; first += tile_rows_)
    for (std::size_t k = 0; k < kernels_.size(); ++k) {
      KernelTask& task = piece.kernels[k];
      Recorder::time(recorder, members_[kernels_[k].first].node, lane,
                     [&] { run_kernel(task, kernels_[k], std::min(tile_rows_, end - first)); });
      for (std::size_t i = 0; i < task.in.size(); ++i)
        task.in[i] = static_cast<const std::byte*>(task.in[i]) + tile_rows_ * task.in_step[i];
      for (std::size_t i = 0; i < task.out.size(); ++i)
        task.out[i] = static_cast<std::byte*>(task.out[i]) + tile_rows_ * task.out_step[i];
    }
}

// Adds what one tile comes to.
void Region::Task::add_part() {
  dispatch_floating(output->type.dtype, [&]<class T>(TypeTag<T>) {
    const T* const from = reinterpret_cast<const T*>(part.data());
    std::transform(from, from + output->stored, total.begin(), total.begin(),
                   [](T x, double sum) { return sum + static_cast<double>(x); });
  });
}

}  // namespace gradus
