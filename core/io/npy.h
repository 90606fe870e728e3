// NumPy's files: .npy holds one tensor, .npz a zip of them by name. Dense tensors of the five dtypes, little-
// endian; formats 1, 2 and 3, in C or Fortran order, are read, format 1 in C order is written.
// What is wrong with a file is an IoError that names it; sizes are checked before memory is asked for.
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <map>
#include <string>

namespace gradus {

Tensor load_npy(const std::string& path);
/// Throws TypeError unless the tensor is dense; written atomically.
void save_npy(const std::string& path, const Tensor& tensor);

/// The tensors of numpy.savez or numpy.savez_compressed.
std::map<std::string, Tensor> load_npz(const std::string& path);
/// As numpy.savez: not compressed. The same tensors give the same bytes.
void save_npz(const std::string& path, const std::map<std::string, Tensor>& tensors);

}  // namespace gradus
