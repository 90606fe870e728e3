#include "launch_checks.h"

#include "golden_file.h"
#include "launch_cases.h"

#include <gradus/core/device/device_call.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/nodes.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace gradus {

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

// With all numbers in the device's memory, of which nothing is left in the end.
Tensor launched(const Expr& node, const LaunchCase& c, const std::shared_ptr<Accelerator>& device) {
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
  if (const std::int64_t left = device->memory_in_use(); left != 0) fail<Error>("{} bytes of memory are left", left);
  return result;
}

std::string difference(const LaunchCase& c, const std::shared_ptr<Accelerator>& device) {
  Graph graph;
  const Expr node = node_for(graph, c);
  const Tensor expected = computed(node, c);
  const Tensor got = launched(node, c, device);
  if (got.type() != expected.type())
    return fmt::format("{} instead of {}", to_string(got.type()), to_string(expected.type()));
  if (expected.pattern() && (got.pattern()->row_start != expected.pattern()->row_start ||
                             !std::ranges::equal(got.pattern()->column, expected.pattern()->column)))
    return "another pattern";
  if (expected.index() && got.index()->row != expected.index()->row) return "other rows";
  return disagreement(got.values(), expected.values(), c.rtol, c.rtol);
}

template <class F>
std::string refusal_of(F&& f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

int check_launches(const Device& device, std::span<const DType> dtypes, const Complain& complain) {
  const std::shared_ptr<Accelerator> accelerator = device.open();
  int cases = 0;
  for (const auto& section :
       {folding_launch_cases, moving_launch_cases, gradient_launch_cases, product_launch_cases, sparse_launch_cases})
    for (const LaunchCase& c : section()) {
      if (!std::all_of(c.inputs.begin(), c.inputs.end(), [&](const Tensor& input) {
            return std::find(dtypes.begin(), dtypes.end(), input.dtype()) != dtypes.end();
          }))
        continue;
      ++cases;
      try {
        const std::string wrong = difference(c, accelerator);
        if (!wrong.empty()) complain(fmt::format("{}: {}", c.name, wrong));
      } catch (const Error& error) {
        complain(fmt::format("{}: threw {}", c.name, error.what()));
      }
    }
  for (const LaunchCase& c : refused_launch_cases()) {
    Graph graph;
    const Expr node = node_for(graph, c);
    const std::string expected = refusal_of([&] { computed(node, c); });
    const std::string got = refusal_of([&] { launched(node, c, accelerator); });
    if (expected.empty() || got != expected)
      complain(fmt::format("{}: says \"{}\" instead of \"{}\"", c.name, got, expected));
  }
  return cases;
}

}  // namespace gradus
