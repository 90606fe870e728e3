#include <gradus/core/device/host_step.h>

namespace gradus {

namespace {

std::vector<Type> types_of(const std::vector<const Value*>& values) {
  std::vector<Type> types;
  for (const Value* value : values) types.push_back(value->type);
  return types;
}

std::int64_t bytes_of(const Value& value) {
  return value.stored * static_cast<std::int64_t>(size_of(value.type.dtype));
}

}  // namespace

HostStep::HostStep(const Expr& node, std::vector<const Value*> inputs, Value& output)
    : node_(node), inputs_(std::move(inputs)), output_(output), here_(inputs_.size()), numbers_(inputs_.size()) {
  if (const RowKernel kernel = node.op().row_kernel(types_of(inputs_)))
    loop_.emplace(node.op(), kernel, inputs_, output);
  for (const Value& value : here_) operands_.push_back(&value);
}

void HostStep::run(const std::shared_ptr<Accelerator>& accelerator) {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    here_[i] = *inputs_[i];
    numbers_[i].reserve(static_cast<std::size_t>(bytes_of(here_[i])));
    if (here_[i].stored > 0 && node_.op().reads(static_cast<int>(i)))
      accelerator->download(numbers_[i].data(), inputs_[i]->data, bytes_of(here_[i]));
    here_[i].data = numbers_[i].data();
  }
  const bool dense = output_.type.layout == Layout::dense;
  result_ = output_;
  if (dense) {
    result_numbers_.reserve(static_cast<std::size_t>(bytes_of(result_)));
    result_.data = result_numbers_.data();
  }
  Call call(operands_, result_, workers_, scratch_, growing_);
  call.node = node_;
  if (loop_) {
    loop_->run(call);
  } else {
    node_.op().compute(call);
  }
  if (!dense) {
    grown_.reserve(accelerator, bytes_of(result_));
    output_.data = grown_.data();
    output_.stored = result_.stored;
    output_.pattern = result_.pattern;
    output_.index = result_.index;
  }
  if (result_.stored > 0) accelerator->upload(output_.data, result_.data, bytes_of(result_));
  for (Value& value : here_) value = {};
  result_ = {};
}

}  // namespace gradus
