// What a kernel's text on a GPU does of one element: what it reads and where that lies, what it computes, and what it
// writes. The loops around it are gpu_text.cpp's.
#pragma once

#include <gradus/core/kernel/gpu_text.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// "c * 20"; "c" for a step of 1.
std::string steps_of(std::string_view coordinate, std::int64_t step);

class GpuElement {
 public:
  /// `made` has its form; its arguments are added here.
  GpuElement(const Kernel& kernel, GpuText& made);

  /// The steps' functions.
  const std::string& functions() const { return functions_.text; }
  /// ", const float* p0, ...".
  const std::string& parameters() const { return parameters_; }
  /// Of operands that are one number for all: read before the loops.
  std::string numbers() const;
  /// The coordinates of element i in a space of two axes of which one is folded, where the loops know them.
  using Place = std::array<std::string_view, 2>;
  /// All that is done for element i; of value l of a pack `in_pack`. A fold's sum so far is s0, of row l s0[l], of its
  /// column c s0[l][c], where the matrix has m0[c].
  std::string body(std::string_view indent, const Place& place = {}, bool in_pack = false) const;
  /// Packs of operands, b0, b1, ..., are read, and of results, y0, ..., made or written: number q.
  std::string read_packs() const;
  std::string write_packs() const;

  const std::string& row_start() const { return row_start_; }
  const std::string& of_read(int read) const { return pointers_[static_cast<std::size_t>(read)]; }
  const std::string& of_fold(std::size_t fold) const { return folded_[fold]; }

 private:
  using Access = LoopOperand::Access;

  Access access(std::size_t read) const { return kernel_.reads[read].operand.access; }
  bool any_read(bool (*wanted)(Access)) const;
  std::string argument(GpuArgument::What what, int node, std::string_view declaration);
  void add_reads();
  void add_results();
  void choose_packs();
  std::string coordinates(std::string_view index, std::size_t first, std::string_view indent) const;
  std::string address(const Kernel::Read& read) const;
  bool whole_rows(const Kernel::Read& read) const;
  std::string add_to_fold(std::size_t fold, std::string_view indent) const;

  const Kernel& kernel_;
  GpuText& made_;
  StepFunctions functions_;
  std::vector<std::string> pointers_;          // by read
  std::vector<std::string> results_, tables_;  // by step: where it is written, and the table that it is written to
  std::vector<std::string> folded_;            // by fold
  std::string row_start_, column_, row_, held_, parameters_;
};

}  // namespace gradus
