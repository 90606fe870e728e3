// A kernel's text as a function of the machine: the C++ compiler that is at hand makes it in the background, while the
// ops' own loops do the work, and what it made is kept for the next start (core/io/kept.h). Both give the same bits, so
// it never shows in a result which of them ran. Without a compiler, or where it fails, all stays as it is.
#pragma once

#include <gradus/core/kernel/kernel.h>
#include <gradus/core/tensor/sparse.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace gradus {

/// When kernels are compiled: GRADUS_COMPILE is "off", "background" (as where it is not set) or "now", where a plan
/// waits for its kernels before it runs. Read once. Throws ValueError where it is none of them.
enum class Compiling : std::uint8_t { off, background, now };
Compiling compiling();

class CompiledKernel {
 public:
  /// Element by element over n steps along the first axis of the space (for rows of a table, `held` has their numbers
  /// and, up to held[last], those of the rows that follow): `in` has what is read, in the order of Kernel::reads; `out`
  /// what is stored, in the order of the steps, a result before the table that it goes to; `width` is Kernel::inner().
  using Function = void (*)(std::int64_t n, const void* const* in, void* const* out, const Index* held,
                            std::int64_t last, std::int64_t width);
  enum class State : std::uint8_t { waiting, compiling, compiled, kept, refused, known };

  explicit CompiledKernel(std::string text) : text_(std::move(text)) {}

  const std::string& text() const { return text_; }
  /// Null until there is one.
  Function function() const { return function_.load(std::memory_order_acquire); }
  State state() const { return state_.load(std::memory_order_acquire); }

 private:
  friend class HostCompiler;
  std::string text_;
  std::atomic<Function> function_ = nullptr;
  std::atomic<State> state_ = State::waiting;
};

/// "step by step", "being compiled", "compiled", "compiled, from disk", "step by step: not compiled", "compiled with
/// Gradus".
std::string word_of(CompiledKernel::State state);

/// The process's kernel of this text (kernel.h's cpu_text), for which the compiler is asked; it is there at once where
/// compiling() says so.
std::shared_ptr<CompiledKernel> compiled_kernel(const std::string& text);

/// A kernel of a plan. Its text is not made before it is needed, since most plans never run for long; but that of an
/// update of a table's rows is looked up among those that were compiled with Gradus (known_kernels.h).
class PlanKernel {
 public:
  explicit PlanKernel(Kernel kernel);

  const Kernel& kernel() const { return kernel_; }
  /// For a run of so many elements times steps; null until there is one. When runs without it, or with one for rows of
  /// any width, have cost about as much as compiling does, the compiler is asked.
  CompiledKernel::Function function(std::int64_t work);
  CompiledKernel::State state() const;
  std::string text() const { return cpu_text(kernel_); }

 private:
  static constexpr std::int64_t enough = std::int64_t{1} << 27;

  Kernel kernel_;
  CompiledKernel::Function known_ = nullptr;
  std::shared_ptr<CompiledKernel> code_;
  bool settled_ = false;  // whether nothing is to be compiled
  std::int64_t work_ = 0;
};

}  // namespace gradus
