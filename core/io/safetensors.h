// Safetensors files (github.com/huggingface/safetensors, "Format"): eight bytes that hold the length of a JSON
// header, the header, and the numbers of all tensors, one after another without gaps.
// F32, F64, I32, I64 and BOOL are read and written; what is wrong with a file is an IoError that names it.
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <map>
#include <string>

namespace gradus {

struct SafeTensors {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

SafeTensors load_safetensors(const std::string& path);
/// Whether the file is of this format and its metadata name the key. Its header alone is read.
bool has_metadata(const std::string& path, const std::string& key);
/// Throws TypeError unless all tensors are dense; written atomically. The same contents give the same bytes.
void save_safetensors(const std::string& path, const SafeTensors& contents);

}  // namespace gradus
