// Safetensors files (github.com/huggingface/safetensors, "Format"): eight bytes that hold the length of a JSON
// header, the header, and the numbers of all tensors, one after another without gaps.
// F32, F64, I32, I64 and BOOL are read and written; what is wrong with a file is an IoError that names it.
#pragma once

#include <gradus/core/io/file.h>
#include <gradus/core/tensor/tensor.h>

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace gradus {

struct SafeTensors {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

SafeTensors load_safetensors(const std::string& path);
/// Whether the file is of this format and its metadata name the key. Its header alone is read.
bool has_metadata(const std::string& path, const std::string& key);
/// One tensor or more of one type, by the name under which a file has them as one, along a first axis more.
using TensorStacks = std::map<std::string, std::vector<Tensor>>;
/// Throws TypeError unless all tensors are dense; written atomically. The same contents give the same bytes. Stacks are
/// written from where their tensors lie.
void save_safetensors(const std::string& path, const SafeTensors& contents, const TensorStacks& stacks = {});

/// A file that is not read whole: the header when it is opened, elements of a tensor when they are asked for.
class SafeTensorsFile {
 public:
  explicit SafeTensorsFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  /// Of the whole file.
  std::uint64_t bytes() const { return file_.size(); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// Of all its tensors, dense.
  const std::map<std::string, Type>& types() const { return types_; }
  Tensor tensor(const std::string& name) const;
  /// Elements first to first + to.size() of a tensor, in the order of the file; for any number of threads at once. The
  /// tensor must have them, and T as its dtype.
  template <class T>
  void read(const std::string& name, std::int64_t first, std::span<T> to) const {
    file_.read_at(begin_.at(name) + static_cast<std::uint64_t>(first) * sizeof(T), to.data(), to.size_bytes());
  }

 private:
  FileReader file_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, Type> types_;
  std::map<std::string, std::uint64_t> begin_;  // bytes from the start of the file
};

/// A tensor whose numbers are not in memory when a file is written: `write` gives all of them, in order.
struct WrittenTensor {
  DType dtype;
  Shape shape;
  std::function<void(FileWriter&)> write;
};
/// Likewise.
void save_safetensors(const std::string& path, const std::map<std::string, WrittenTensor>& tensors,
                      const std::map<std::string, std::string>& metadata);

}  // namespace gradus
