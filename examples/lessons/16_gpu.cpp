// Lesson 16: the same on the GPU. Why is a sum not the same to the bit, and what can be done?
#include <gradus/core/device/device_schedule.h>
#include <gradus/core/kernel/gpu_text.h>
#include <gradus/core/plan/build_kernel.h>
#include <gradus/core/plan/draft.h>
#include <gradus/gradus.h>
using namespace gradus;

// [text]
// What a plan for a GPU does before it compiles anything: the text of the kernel that computes `fetch`.
std::string kernel_of(const Expr& fetch, std::span<const FedType> feeds) {
  const Program program = make_program(make_draft(std::span(&fetch, 1), feeds));
  const Schedule schedule = device_schedule(program, true);
  const std::vector<int>& nodes = schedule.groups.front().nodes;
  fmt::print("nodes in one kernel: {}\n\n", nodes.size());
  return gpu_text(make_kernel(program, nodes, plan_memory(program, schedule))).text;
}
// [/]

// [sums]
// x by `threads` threads, each of which sums neighbouring elements.
float by_threads(std::span<const float> x, std::size_t threads) {
  float total = 0;
  for (std::size_t t = 0; t < threads; ++t) {
    float mine = 0;
    for (std::size_t i = x.size() * t / threads; i < x.size() * (t + 1) / threads; ++i) mine += x[i];
    total += mine;
  }
  return total;
}

// x by blocks of 1024, whoever sums which; the blocks' sums are then added in their order.
float by_blocks(std::span<const float> x) {
  double total = 0;
  for (std::size_t first = 0; first < x.size(); first += 1024) {
    float block = 0;
    for (std::size_t i = first; i < std::min(first + 1024, x.size()); ++i) block += x[i];
    total += block;
  }
  return static_cast<float>(total);
}
// [/]

int main() {
  Graph g;
  Expr y = g.placeholder("y", {1000, 1}), y_hat = g.placeholder("y_hat", {1000, 1});
  Expr error = reduce_sum(square(y - y_hat));
  const FedType feeds[] = {{y, y.type(), false}, {y_hat, y_hat.type(), false}};
  fmt::print("{}\n", kernel_of(error, feeds));

  const Tensor x = random_uniform({1000000}, {.seed = 1});
  double exact = 0;
  for (const double one : x) exact += one;
  // [table]
  fmt::print("a million values, in float64: {:.3f}\nthreads   by threads     by blocks\n", exact);
  for (const unsigned threads : {1U, 2U, 3U, 8U, 100U})
    fmt::print("{:>7}   {:<12.3f}   {:.3f}\n", threads, by_threads(x.span<float>(), threads),
               by_blocks(x.span<float>()));
  // [/]
}
