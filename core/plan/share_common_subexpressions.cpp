#include <gradus/core/graph/nodes.h>
#include <gradus/core/plan/passes.h>

#include <algorithm>
#include <cstring>

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
    if (!same_node(a.input(i), b.input(i))) return false;
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

Expr share_common_subexpressions(const Expr& y, Rewriting& rewriting) {
  if ((y.kind() != Kind::op && y.kind() != Kind::constant) || y.op().traits().is_random) return y;
  const std::size_t hash = hash_of(y);
  const auto [begin, end] = rewriting.seen.equal_range(hash);
  const auto twin = std::find_if(begin, end, [&](const auto& entry) { return same(entry.second, y); });
  if (twin != end) return twin->second;
  rewriting.seen.emplace(hash, y);
  return y;
}

}  // namespace gradus
