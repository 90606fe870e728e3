#include <gradus/core/kernel/evaluate.h>

#include <gradus/core/kernel/loop.h>
#include <gradus/core/tensor/random.h>

#include <cstring>
#include <vector>

namespace gradus {

namespace {

// A tensor with a copy of the value's elements.
Tensor tensor_of(const Value& value) {
  const Layout layout = value.type.layout;
  Shape stored = value.type.shape;
  if (layout == Layout::csr) stored = Shape({value.stored});
  if (layout == Layout::rows || layout == Layout::part) stored = stored.with(0, value.index->count());
  Tensor elements = Tensor::uninitialized({value.type.dtype, stored, Layout::dense});
  const std::size_t bytes = static_cast<std::size_t>(value.stored) * size_of(value.type.dtype);
  if (bytes > 0) std::memcpy(elements.writable_data(), value.data, bytes);
  if (layout == Layout::dense) return elements;
  return layout == Layout::csr ? Tensor::csr(value.pattern, elements)
                               : Tensor::rows(value.type.shape, value.index, elements, layout);
}

}  // namespace

Tensor evaluate(const Expr& node, std::span<const Tensor* const> inputs, std::uint64_t run) {
  std::vector<Value> values;
  std::vector<Type> types;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    types.push_back(node.input(static_cast<int>(i)).type());
    Value& value = values.emplace_back();
    value.type = types.back();
    if (inputs[i] == nullptr) continue;
    value.data = const_cast<std::byte*>(inputs[i]->data());  // only ever read
    value.stored = inputs[i]->stored();
    value.pattern = inputs[i]->pattern();
    value.index = inputs[i]->index();
    value.ones = inputs[i]->ones();
  }
  if (node.op().is_view(types)) {
    Value shown = values.front();
    shown.type = node.type();
    return tensor_of(shown);
  }
  std::vector<const Value*> given;
  for (const Value& value : values) given.push_back(&value);
  Value output;
  output.type = node.type();
  Tensor dense;
  if (node.layout() == Layout::dense) {
    dense = Tensor::uninitialized(node.type());
    output.data = dense.writable_data();
    output.stored = node.shape().size();
  }
  Workers workers(1);
  Buffer scratch;
  Growing growing;
  Call call(given, output, workers, scratch, growing);
  call.node = node;
  call.stream = node.op().traits().is_random ? stream_of(node.name()) : 0;
  call.run = run;
  if (const RowKernel kernel = node.op().row_kernel(types))
    with_place(node, [&] { Loop(node.op(), kernel, given, output).run(call); });
  else
    node.op().compute(call);
  return node.layout() == Layout::dense ? dense : tensor_of(output);
}

}  // namespace gradus
