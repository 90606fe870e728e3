// Ranks that are processes of mpirun. Each exchange is point to point, so that whoever waits knows for whom: an
// envelope of fixed size, with the step, the note and the first bytes, then the rest. One envelope of every other rank
// is awaited at all times; so a rank that has failed is heard of in whatever exchange the others are.
#include <gradus/core/at.h>
#include <gradus/core/cluster/communicator.h>
#include <gradus/core/cluster/mpi_functions.h>

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

namespace gradus {

namespace {

constexpr std::size_t inline_bytes = 3584;
constexpr std::int64_t largest_message = std::int64_t{1} << 30;

struct Envelope {
  std::int64_t bytes = 0;
  std::array<char, 192> step{}, note{};
  bool flag = false, failed = false;  // failed: `first` is the reason
  std::array<std::byte, inline_bytes> first{};
};

template <std::size_t n>
void put(std::string_view text, std::array<char, n>& to) {
  to.fill(0);
  std::copy_n(text.begin(), std::min(text.size(), n - 1), to.begin());
}

enum Tag : int { envelope_tag = 1, rest_tag = 2 };

std::string folder_of_this() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&folder_of_this), &info) == 0 || info.dli_fname == nullptr) return ".";
  const std::string path = info.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

// The module: where GRADUS_MPI_MODULE says, beside the program or library that this is in, in their ../lib, or where
// the system looks for libraries.
const GradusMpi& functions() {
  static const GradusMpi* loaded = nullptr;
  if (loaded != nullptr) return *loaded;
  std::vector<std::string> paths;
  if (const char* named = std::getenv("GRADUS_MPI_MODULE"); named != nullptr) {
    paths.emplace_back(named);
  } else {
    const std::string here = folder_of_this();
    paths = {here + "/libgradus_mpi.so", here + "/../libgradus_mpi.so", here + "/../lib/libgradus_mpi.so",
             "libgradus_mpi.so"};
  }
  std::string errors;
  void* module = nullptr;
  for (const std::string& path : paths) {
    module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (module != nullptr) break;
    errors += fmt::format("\n  {}", ::dlerror());
  }
  if (module == nullptr)
    fail<ClusterError>(
        "ranks of MPI need the module gradus_mpi, which is built where CMake finds MPI (Debian: libopenmpi-dev; "
        "GRADUS_MPI=ON insists on it); GRADUS_MPI_MODULE names it where it lies elsewhere:{}",
        errors);
  using Get = const GradusMpi* (*)(int);
  const auto get = reinterpret_cast<Get>(::dlsym(module, "gradus_mpi_functions"));
  loaded = get != nullptr ? get(gradus_mpi_version) : nullptr;
  if (loaded == nullptr) fail<ClusterError>("the module gradus_mpi is of another version of gradus");
  return *loaded;
}

// How many processes the launcher says that there are; 0: it says nothing.
int processes_launched() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE", "MV2_COMM_WORLD_SIZE"})
    if (const char* text = std::getenv(name); text != nullptr) return std::atoi(text);
  // srun with PMIx names no size of its own.
  const char *in_pmix = std::getenv("PMIX_RANK"), *tasks = std::getenv("SLURM_NTASKS");
  return in_pmix != nullptr && tasks != nullptr ? std::atoi(tasks) : 0;
}

class MpiLink final : public RankLink {
 public:
  explicit MpiLink(const CommunicatorOptions& options) : mpi_(functions()), limit_(options.limit) {
    std::array<char, 256> error{};
    if (!mpi_.open(&rank_, &size_, error.data(), error.size())) gradus::fail<ClusterError>("MPI: {}", error.data());
    if (const int launched = processes_launched(); launched > 1 && size_ == 1)
      gradus::fail<ClusterError>(
          "the launcher has started {} processes, but MPI sees one alone: gradus_mpi was built with another MPI than "
          "this launcher's",
          launched);
    peers_ = std::vector<Peer>(at(size_));
    for (int r = 0; r < size_; ++r)
      if (r != rank_) await_envelope(r);
  }
  MpiLink(const MpiLink&) = delete;
  MpiLink& operator=(const MpiLink&) = delete;

  // Ranks end together: one that still waits in another step hears that this one has come to its end.
  ~MpiLink() override {
    if (failed_) return;
    try {
      const auto all = exchange({"the end", {}});
      check_steps(all);
      mpi_.close();
    } catch (const std::exception& error) {
      abort(error.what());
    }
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  std::vector<std::shared_ptr<const RankMessage>> exchange(RankMessage mine) override {
    if (failed_) gradus::fail<ClusterError>("{}", why_);
    const auto message = std::make_shared<RankMessage>(std::move(mine));
    // One envelope for all, or one for each: they are the sends' until these are done.
    mine_.resize(message->by_rank.empty() ? 1 : at(size_));
    if (message->by_rank.empty()) put_in_envelope(*message, message->bytes, mine_.front());
    for (int r = 0; r < size_; ++r) {
      if (r == rank_) continue;
      const std::vector<std::byte>& given = message->bytes_for(r);
      Envelope& envelope = message->by_rank.empty() ? mine_.front() : mine_[at(r)];
      if (!message->by_rank.empty()) put_in_envelope(*message, given, envelope);
      const auto bytes = std::ssize(given);
      send(r, envelope_tag, &envelope, envelope_bytes(bytes));
      for (std::int64_t from = static_cast<std::int64_t>(inline_bytes); from < bytes; from += largest_message)
        send(r, rest_tag, given.data() + from, at(std::min(largest_message, bytes - from)));
    }
    std::vector<std::shared_ptr<RankMessage>> theirs(at(size_));
    wait(message->step, theirs);
    for (int r = 0; r < std::ssize(message->by_rank); ++r)  // what others have by now
      if (r != rank_) std::vector<std::byte>().swap(message->by_rank[at(r)]);
    std::vector<std::shared_ptr<const RankMessage>> all(theirs.begin(), theirs.end());
    all[at(rank_)] = message;
    return all;
  }

  void fail(std::string_view why) noexcept override {
    if (!failed_) tell_all(fmt::format("rank {} has failed: {}", rank_, why));
  }

  void abort(std::string_view why) override {
    if (!why.empty()) fmt::print(stderr, "rank {}: {}\n", rank_, why);
    std::fflush(nullptr);
    // A launcher ends all at once, also before it has passed on what was said.
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    mpi_.abort(1);
    std::_Exit(1);
  }

 private:
  void tell_all(std::string text) noexcept {
    failed_ = true;
    why_ = std::move(text);
    static Envelope last;  // it outlives the sends: nobody waits for them
    last.failed = true;
    std::copy_n(reinterpret_cast<const std::byte*>(why_.data()), std::min(why_.size(), inline_bytes - 1),
                last.first.begin());
    for (int r = 0; r < size_; ++r)
      if (r != rank_) mpi_.send(r, envelope_tag, &last, sizeof(Envelope));
  }

  struct Peer {
    Envelope envelope;
    int receiving = -1;  // the envelope
    bool has_envelope = false;
    std::vector<int> rest;  // of the message that it announces
    std::shared_ptr<RankMessage> message;
    std::string note;  // the last heard
  };

  static std::size_t envelope_bytes(std::int64_t bytes) {
    const auto inside = at(std::min<std::int64_t>(bytes, static_cast<std::int64_t>(inline_bytes)));
    return sizeof(Envelope) - inline_bytes + inside;
  }

  static void put_in_envelope(const RankMessage& message, const std::vector<std::byte>& given, Envelope& envelope) {
    envelope.bytes = std::ssize(given);
    put(message.step, envelope.step);
    put(message.note, envelope.note);
    envelope.flag = message.flag;
    std::copy_n(given.begin(), std::min(given.size(), inline_bytes), envelope.first.begin());
  }

  void send(int to, int tag, const void* bytes, std::size_t count) {
    sending_.emplace_back(to, mpi_.send(to, tag, bytes, count));
    if (sending_.back().second < 0) lost(to);
  }

  void await_envelope(int from) {
    Peer& peer = peers_[at(from)];
    peer.has_envelope = false;
    peer.receiving = mpi_.receive(from, envelope_tag, &peer.envelope, sizeof(Envelope));
    if (peer.receiving < 0) lost(from);
  }

  [[noreturn]] void lost(int rank) {
    failed_ = true;
    why_ = fmt::format("rank {} has lost {}", rank_, rank_and_note(rank, peers_[at(rank)].note));
    gradus::fail<ClusterError>("{}", why_);
  }

  bool is_done(int& number, int rank) {
    if (number < 0) return true;
    const int done = mpi_.done(number);
    if (done < 0) lost(rank);
    if (done > 0) number = -1;
    return done > 0;
  }

  // Looks once; whether anything has happened.
  bool progress(std::vector<std::shared_ptr<RankMessage>>& theirs) {
    bool moved =
        std::erase_if(sending_, [&](std::pair<int, int>& each) { return is_done(each.second, each.first); }) > 0;
    for (int r = 0; r < size_; ++r) {
      Peer& peer = peers_[at(r)];
      if (r == rank_) continue;
      if (!peer.has_envelope && is_done(peer.receiving, r)) {
        peer.has_envelope = moved = true;
        if (peer.envelope.failed) {
          failed_ = true;
          why_ = reinterpret_cast<const char*>(peer.envelope.first.data());
          gradus::fail<ClusterError>("{}", why_);
        }
      }
      if (!peer.has_envelope || theirs[at(r)] != nullptr) continue;
      if (peer.message == nullptr) open_envelope(r);
      if (std::erase_if(peer.rest, [&](int& each) { return is_done(each, r); }) > 0) moved = true;
      if (!peer.rest.empty()) continue;
      theirs[at(r)] = std::exchange(peer.message, nullptr);
      await_envelope(r);
      moved = true;
    }
    return moved;
  }

  void open_envelope(int from) {
    Peer& peer = peers_[at(from)];
    const Envelope& e = peer.envelope;
    peer.note = e.note.data();
    peer.message = std::make_shared<RankMessage>(RankMessage{e.step.data(), e.note.data(), e.flag});
    std::vector<std::byte>& bytes = peer.message->bytes;
    bytes.resize(at(e.bytes));
    std::copy_n(e.first.begin(), std::min(bytes.size(), inline_bytes), bytes.begin());
    for (auto to = static_cast<std::int64_t>(inline_bytes); to < e.bytes; to += largest_message)
      peer.rest.push_back(mpi_.receive(from, rest_tag, bytes.data() + to, at(std::min(largest_message, e.bytes - to))));
  }

  void wait(const std::string& step, std::vector<std::shared_ptr<RankMessage>>& theirs) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    // MPI has no wait with an end: it is asked again and again, less often the longer nothing comes.
    for (std::int64_t idle = 0;;) {
      if (progress(theirs)) {
        idle = 0;
        continue;
      }
      const auto is_missing = [&](int r) {
        const auto is_to = [&](const auto& message) { return message.first == r; };
        return r != rank_ && (theirs[at(r)] == nullptr || std::any_of(sending_.begin(), sending_.end(), is_to));
      };
      int ready = 0;
      while (ready < size_ && !is_missing(ready)) ++ready;
      if (ready == size_) return;
      if (Clock::now() - start > limit_) {
        std::string missing;
        for (int r = 0; r < size_; ++r)
          if (is_missing(r)) missing += (missing.empty() ? "" : ", ") + rank_and_note(r, peers_[at(r)].note);
        tell_all(waited_in_vain(rank_, limit_, step, missing));
        gradus::fail<ClusterError>("{}", why_);
      }
      // A rank that sleeps is woken before those that compute; one that yields waits for all of them.
      constexpr std::int64_t at_once = 16;
      if (++idle > at_once)
        std::this_thread::sleep_for(std::chrono::microseconds(std::min<std::int64_t>(idle - at_once, 1000)));
    }
  }

  const GradusMpi& mpi_;
  std::chrono::milliseconds limit_;
  int rank_ = 0, size_ = 1;
  std::vector<Peer> peers_;
  std::vector<std::pair<int, int>> sending_;  // to whom, number of the message
  std::vector<Envelope> mine_;                // of the exchange that is under way
  bool failed_ = false;
  std::string why_;
};

}  // namespace

bool Communicator::is_launched() { return processes_launched() > 0; }

int Communicator::local_rank() {
  for (const char* name :
       {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "MV2_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"})
    if (const char* text = std::getenv(name); text != nullptr) return std::max(0, std::atoi(text));
  return 0;
}

Communicator Communicator::mpi(const CommunicatorOptions& options) {
  static bool is_open = false;
  if (std::exchange(is_open, true))
    gradus::fail<ClusterError>("Communicator::mpi is called a second time; copy the first");
  return Communicator(std::make_unique<MpiLink>(options));
}

}  // namespace gradus
