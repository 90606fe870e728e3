#include <gradus/core/nodes.h>
#include <gradus/core/passes.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace gradus {

namespace {

constexpr std::size_t most_bytes = 4096;  // of constants that are compared

bool same_constant(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type() || a.layout() != Layout::dense) return false;
  const std::size_t bytes = static_cast<std::size_t>(a.stored()) * size_of(a.dtype());
  return a.data() == b.data() || (bytes <= most_bytes && std::memcmp(a.data(), b.data(), bytes) == 0);
}

// Whether node a computes what node b does; both are in the same draft.
bool same(const Expr& a, const Expr& b) {
  if (a.kind() != b.kind() || a.type() != b.type() || a.arity() != b.arity()) return false;
  for (int i = 0; i < a.arity(); ++i)
    if (a.input(i) != b.input(i)) return false;
  if (a.kind() == Kind::constant) return same_constant(*constant_value(a), *constant_value(b));
  return a.kind() == Kind::op && a.op().same(b.op());
}

std::size_t hash_of(const Expr& node) {
  std::size_t hash = std::hash<std::string_view>()(node.op().name());
  const Tensor* constant = constant_value(node);
  if (constant != nullptr && constant->stored() > 0) hash += std::hash<double>()(constant->stored_value(0));
  for (int i = 0; i < node.arity(); ++i) hash = hash * 31 + static_cast<std::size_t>(node.input(i).id());
  return hash;
}

}  // namespace

Draft share_common_subexpressions(const Draft& draft) {
  std::unordered_multimap<std::size_t, Expr> seen;
  return rebuild(draft, [&](const Expr& node, std::span<const Expr> inputs, Graph& to) {
    const Expr copy = to.copy(node, inputs);
    if ((node.kind() != Kind::op && node.kind() != Kind::constant) || node.op().is_random()) return copy;
    const std::size_t hash = hash_of(copy);
    const auto [begin, end] = seen.equal_range(hash);
    const auto twin = std::find_if(begin, end, [&](const auto& entry) { return same(entry.second, copy); });
    if (twin != end) return twin->second;
    seen.emplace(hash, copy);
    return copy;
  });
}

}  // namespace gradus
