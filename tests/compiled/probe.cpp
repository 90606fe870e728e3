// Trains a little model whose steps are kernels, and prints how they ran and a hash of what was learnt: what
// kernels_test.cpp starts with compilers and folders of all kinds.
//
//   gradus_kernel_probe [train | fork]
#include <gradus/core/io/kept.h>
#include <gradus/core/listed.h>
#include <gradus/gradus.h>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string_view>

namespace gradus {
namespace {

struct Model {
  Model() {
    x = g.variable("x", random_normal({20000, 32}, {.seed = 1}));
    const Expr pull = tanh(x) * exp(-square(x)) - 0.1 * x;
    train = Adam(0.01).minimize(reduce_sum(square(pull)));
  }
  Graph g;
  Expr x, train;
};

std::string states(Session& session, const Expr& train) {
  std::set<std::string> states;
  for (const StepKernel& kernel : session.steps(train).kernels) states.insert(kernel.state);
  return listed(states, " and ");
}

void train(Model& model, int runs) {
  Session session(model.g, Device::cpu(), {.threads = 2});
  for (int i = 0; i < runs; ++i) session.run(model.train);
  const Tensor learnt = session.value(model.x);
  const std::string_view bytes(reinterpret_cast<const char*>(learnt.data()),
                               static_cast<std::size_t>(learnt.stored()) * sizeof(float));
  fmt::print("{:016x} {}\n", hash_of(bytes), states(session, model.train));
  std::fflush(stdout);
}

int run(std::string_view what) {
  constexpr int runs = 60;
  Model model;
  if (what == "fork") {
    train(model, runs);  // the compiler's thread is at work by then
    const pid_t child = fork();
    if (child == 0) {
      train(model, runs);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
  train(model, runs);
  return what == "train" ? 0 : 2;
}

}  // namespace
}  // namespace gradus

int main(int argc, char** argv) {
  try {
    return gradus::run(argc > 1 ? argv[1] : "train");
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
