// What an op launches on an accelerator against what it computes on the CPU, op by op, without a plan: each dtype and
// layout that it takes, sizes at which its kernel works otherwise (one thread, a warp, a block, pieces), empty ones and
// those of size 1. The accelerator is emulated, so the kernels' text itself runs.
#include "emulator/emulated_accelerator.h"
#include "golden_file.h"
#include "launch_cases.h"

#include <gradus/core/device_call.h>
#include <gradus/core/error.h>
#include <gradus/core/nodes.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

using namespace gradus;

namespace {

Value value_of(const Tensor& tensor) {
  Value value;
  value.type = tensor.type();
  value.data = const_cast<std::byte*>(tensor.data());  // only ever read
  value.stored = tensor.stored();
  value.pattern = tensor.pattern();
  value.index = tensor.index();
  value.ones = tensor.ones();
  return value;
}

// What lies at `numbers` on the host, as the output says.
Tensor tensor_of(const Value& output, const std::byte* numbers) {
  const bool by_rows = output.type.layout == Layout::rows || output.type.layout == Layout::part;
  const Shape stored = output.type.layout == Layout::dense ? output.type.shape
                       : by_rows                           ? output.type.shape.with(0, output.index->count())
                                                           : Shape({output.stored});
  Tensor tensor = Tensor::uninitialized({output.type.dtype, stored, Layout::dense});
  const auto bytes = static_cast<std::size_t>(output.stored) * size_of(output.type.dtype);
  if (bytes > 0) std::memcpy(tensor.writable_data(), numbers, bytes);
  if (output.type.layout == Layout::csr) return Tensor::csr(output.pattern, tensor);
  return by_rows ? Tensor::rows(output.type.shape, output.index, tensor, output.type.layout) : tensor;
}

// A node of the op on inputs of these types.
Expr node_for(Graph& graph, const LaunchCase& c) {
  std::vector<Expr> inputs;
  for (const Tensor& input : c.inputs)
    inputs.push_back(graph.add(std::make_shared<PlaceholderOp>(input.type()), {}, Location::current()));
  return c.build(graph, inputs);
}

// Of the result, from what is really given: the graph may know less.
Type type_of(const Expr& node, const LaunchCase& c) {
  std::vector<Type> types;
  std::vector<Expr> inputs;
  for (int i = 0; i < node.arity(); ++i) {
    types.push_back(c.inputs[static_cast<std::size_t>(i)].type());
    inputs.push_back(node.input(i));
  }
  return node.op().infer(OpInputs(types, inputs));
}

Tensor computed(const Expr& node, const LaunchCase& c) {
  std::vector<Value> values;
  for (const Tensor& input : c.inputs) values.push_back(value_of(input));
  std::vector<const Value*> inputs;
  for (const Value& value : values) inputs.push_back(&value);
  Value output;
  output.type = type_of(node, c);
  Tensor dense = Tensor::uninitialized({output.type.dtype, output.type.shape, Layout::dense});
  output.data = dense.writable_data();
  output.stored = dense.stored();
  Workers workers(2);
  Buffer scratch;
  Growing growing;
  Call call(inputs, output, workers, scratch, growing);
  call.node = node;
  call.stream = 77;
  call.run = 5;
  node.op().compute(call);
  return tensor_of(output, output.data);
}

// With all numbers in emulated memory, of which nothing is left in the end.
Tensor launched(const Expr& node, const LaunchCase& c) {
  const auto device = std::make_shared<EmulatedAccelerator>();
  Tensor result;
  {
    std::vector<Value> values;
    std::vector<DeviceMemory> memory;
    for (const Tensor& input : c.inputs) {
      Value value = value_of(input);
      const auto bytes = value.stored * static_cast<std::int64_t>(size_of(value.type.dtype));
      memory.emplace_back(device, bytes);
      device->upload(memory.back().data(), value.data, bytes);
      value.data = memory.back().data();
      values.push_back(std::move(value));
    }
    std::vector<const Value*> inputs;
    for (const Value& value : values) inputs.push_back(&value);
    Value output;
    output.type = type_of(node, c);
    output.stored = output.type.shape.size();
    const auto size = static_cast<std::int64_t>(size_of(output.type.dtype));
    const DeviceMemory dense(device, output.stored * size);
    output.data = dense.data();
    DeviceIndices indices(device);
    DeviceMemory scratch;
    DeviceGrowing growing;
    DeviceCall call(device, indices, inputs, output, scratch, growing);
    call.node = node;
    call.stream = 77;
    call.run = 5;
    node.op().launch(call);
    std::vector<std::byte> numbers(static_cast<std::size_t>(output.stored * size));
    device->download(numbers.data(), output.data, output.stored * size);
    result = tensor_of(output, numbers.data());
  }
  CHECK(device->memory_in_use() == 0);
  return result;
}

void check(const LaunchCase& c) {
  Graph graph;
  const Expr node = node_for(graph, c);
  try {
    const Tensor expected = computed(node, c);
    const Tensor got = launched(node, c);
    const std::string wrong = got.type() != expected.type()
                                  ? fmt::format("{} instead of {}", to_string(got.type()), to_string(expected.type()))
                                  : disagreement(got.values(), expected.values(), c.rtol, c.rtol);
    CHECK_MESSAGE(wrong.empty(), c.name << ": " << wrong);
    if (expected.pattern()) {
      CHECK_MESSAGE(got.pattern()->row_start == expected.pattern()->row_start, c.name);
      CHECK_MESSAGE(std::ranges::equal(got.pattern()->column, expected.pattern()->column), c.name);
    }
    if (expected.index()) CHECK_MESSAGE(got.index()->row == expected.index()->row, c.name);
  } catch (const Error& error) {
    FAIL_CHECK(fmt::format("{}: threw {}", c.name, error.what()));
  }
}

template <class F>
std::string refusal_of(F&& f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("launch: reductions, positions of extremes and running sums") {
  for (const LaunchCase& c : folding_launch_cases()) check(c);
}

TEST_CASE("launch: numbers moved, repeated, filled, gathered and drawn") {
  for (const LaunchCase& c : moving_launch_cases()) check(c);
}

TEST_CASE("launch: what only gradients make") {
  for (const LaunchCase& c : gradient_launch_cases()) check(c);
}

TEST_CASE("launch: products") {
  for (const LaunchCase& c : product_launch_cases()) check(c);
}

TEST_CASE("launch: csr and rows values") {
  for (const LaunchCase& c : sparse_launch_cases()) check(c);
}

TEST_CASE("launch: an index that is out of range is refused in the CPU's words") {
  for (const LaunchCase& c : refused_launch_cases()) {
    Graph graph;
    const Expr node = node_for(graph, c);
    const std::string expected = refusal_of([&] { computed(node, c); });
    CHECK(expected != "nothing was thrown");
    CHECK(refusal_of([&] { launched(node, c); }) == expected);
  }
}
