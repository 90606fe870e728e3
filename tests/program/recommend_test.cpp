// fm recommend and fm evaluate --top: what is written, said and refused.
#include "clicks.h"
#include "ratings_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <sstream>

using namespace gradus;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

}  // namespace

TEST_CASE("recommendations for one user, some, all, and other contexts") {
  const Folder folder;
  write_text(folder / "r.csv", ratings_text({.count = 3000, .users = 40, .items = 60, .form = RatingsForm::csv}));
  REQUIRE(run_fm(folder, {"train", "r.csv", "--model", "m", "--epochs", "5", "--quiet"}).code == 0);
  const Finished one = run_fm(folder, {"recommend", "m", "--user", "u7", "--count", "3"});
  CHECK(one.err.empty());
  const std::vector<std::string> lines = lines_of(one.out);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == "user,rank,item,score");
  CHECK(lines[1].starts_with("u7,1,i"));
  // The first of all predictions.
  std::string pairs = "user,item\n";
  for (int i = 1; i <= 60; ++i) pairs += fmt::format("u7,i{}\n", i);
  write_text(folder / "pairs.csv", pairs);
  double best = 0;
  for (const std::string& line : lines_of(run_fm(folder, {"predict", "m", "pairs.csv"}).out))
    best = std::max(best, std::atof(line.c_str()));
  CHECK(std::atof(lines[1].c_str() + lines[1].rfind(',') + 1) == doctest::Approx(best).epsilon(1e-5));

  const std::string said_of_all = said(folder, {"recommend", "m", "--without", "r.csv", "--output", "all.csv"});
  CHECK(said_of_all.find(": the best 10 of ") != std::string::npos);
  std::set<std::string> rated;
  for (const std::string& line : lines_of(text_of(folder / "r.csv"))) rated.insert(line.substr(0, line.rfind(',')));
  std::set<std::string> users;
  for (const std::string& line : lines_of(text_of(folder / "all.csv"))) {
    std::istringstream cells(line);
    std::string user, rank, item;
    std::getline(std::getline(std::getline(cells, user, ','), rank, ','), item, ',');
    users.insert(user);
    CHECK_MESSAGE((rank == "rank" || !rated.contains(user + "," + item)), line);
  }
  CHECK(users.size() == 41);  // and the header's word
  CHECK(run_fm(folder, {"recommend", "m", "--output", "all.csv", "--threads", "1"}).code == 0);  // over one of its own
  write_text(folder / "some.csv", "item,user\ni1,u3\ni1,nobody\n");
  const Finished some = run_fm(folder, {"recommend", "m", "--contexts", "some.csv", "--count", "1"});
  CHECK(lines_of(some.out).size() == 3);
  CHECK(some.out.find("\nnobody,1,i") != std::string::npos);
  CHECK(some.err == "  never seen in training, so left out: 1 user\n");
  const auto json = nlohmann::json::parse(run_fm(folder, {"recommend", "m", "--output", "all.csv", "--json"}).out);
  CHECK(json["contexts"] == 40);
  CHECK(json["recommendations"] == 400);

  CHECK(said(folder, {"recommend", "m", "--user", "u77"}) ==
        "1: fm: the model has not seen user u77; did you mean u17?\n");
  CHECK(said(folder, {"recommend", "m", "--for", "u7"}) == "1: fm: --for is u7; COLUMN=VALUE is expected\n");
  CHECK(said(folder, {"recommend", "m", "--user", "u7", "--item", "thing"}) ==
        "1: fm: the model has no column \"thing\"; it learnt from user, item\n");
  CHECK(said(folder, {"recommend", "m", "--user", "u7", "--count", "0"}).starts_with("2: fm: --count is 0; "));
  CHECK(said(folder, {"recommend", "m", "--where", "genre=Comedy"}) ==
        "1: fm: --where looks into the file of --candidates, but none is given\n");
  CHECK(said(folder, {"recommend", "m", "--output", "r.csv"}) ==
        "1: fm: r.csv: is there and is not a list of recommendations; --output must name another file, unless "
        "--overwrite is given\n");
  CHECK(said(folder, {"recommend", "m", "--without", "pairs.csv", "--output", "pairs.csv"}) ==
        "1: fm: pairs.csv: is what is left out, which --output must not replace; name another file\n");
  write_text(folder / "a.svm", "1 1:1 2:1\n0 2:1\n1 1:1\n0 2:1\n");
  REQUIRE(run_fm(folder, {"train", "a.svm", "--model", "s", "--epochs", "1", "--quiet"}).code == 0);
  CHECK(said(folder, {"recommend", "s", "--user", "1"}) ==
        "1: fm: the model was trained on libsvm, whose columns have no names; columns of a table are expected\n");
}

TEST_CASE("candidates of a file, with what it says of them") {
  const Folder folder;
  std::string ratings = "customer,day,film,genre,stars\n", films = "film,genre,year\n", names = "a,b\nc,\"d\"\"e\"\n";
  const char* const genres[] = {"Comedy", "Drama", "\"Science, fiction\""};
  for (int n = 0; n < 400; ++n)
    ratings += fmt::format("c{},{},f{},{},{}\n", n % 8, n % 2 == 0 ? "mon" : "sun", n * 5 % 21, genres[n * 5 % 21 % 3],
                           1 + (n % 8 + n * 5 % 21) % 3);
  for (int f = 0; f < 21; ++f) films += fmt::format("f{},{},{}\n", f, genres[f % 3], 1990 + f);
  films += "new film,Comedy,2024\nother,Western,2024\n";
  write_text(folder / "r.csv", ratings);
  write_text(folder / "films.csv", films);
  REQUIRE(run_fm(folder, {"train", "r.csv", "--target", "stars", "--learner", "mcmc", "--epochs", "20", "--model", "m",
                          "--quiet"})
              .code == 0);
  const Finished done = run_fm(folder, {"recommend", "m", "--candidates", "films.csv", "--where", "genre=Comedy",
                                        "--for", "day=sun", "--count", "100"});
  REQUIRE_MESSAGE(done.code == 0, done.err);
  const std::vector<std::string> lines = lines_of(done.out);
  CHECK(lines[0] == "customer,day,rank,film,score");
  CHECK(lines.size() == 1 + 8 * 8);  // the seven that the model knows, and one that it knows by its genre alone
  CHECK(done.out.find(",new film,") != std::string::npos);
  CHECK(run_fm(folder, {"recommend", "m", "--candidates", "films.csv", "--user", "c1"}).err ==
        "  candidates that the model does not know, so left out: 1\n  of a context not given, so left out: day\n");
  CHECK(said(folder, {"recommend", "m", "--candidates", "films.csv", "--where", "genre=Western"}) ==
        "1: fm: films.csv: has no film to recommend with the cells asked for that the model knows\n");
  CHECK(said(folder, {"recommend", "m", "--candidates", "films.csv", "--for", "genre=Drama"}) ==
        "1: fm: column \"genre\" is the candidates'; contexts have the others of customer, day, film, genre\n");

  const std::string evaluated =
      said(folder, {"evaluate", "m", "r.csv", "--top", "3", "--candidates", "films.csv", "--liked", "3"});
  CHECK(evaluated.starts_with("0: r.csv: 8 users, who took "));
  CHECK(evaluated.find("\nmodel:      ndcg@3 ") != std::string::npos);
  CHECK(evaluated.find("\n  --without TRAINING leaves out what users had before") != std::string::npos);
  write_text(folder / "had.csv", "customer,film\nc0,f0\n");
  const auto json = nlohmann::json::parse(
      run_fm(folder, {"evaluate", "m", "r.csv", "--top", "3", "--without", "had.csv", "--json"}).out);
  CHECK(json["candidates"] == 21);
  CHECK(json["popularity"]["mrr@3"].is_number());
  CHECK(said(folder, {"evaluate", "m", "r.csv", "--liked", "3"}).starts_with("2: fm: --liked requires --top"));
}

// Each user's last row is held out; users take items of their own kind, and popular ones oftener.
TEST_CASE("a ranking recommends better than popularity does") {
  const Folder folder;
  std::string train = "user,item\n", test = train;
  for (int u = 0; u < 60; ++u) {
    std::vector<int> taken;
    for (int i = 0; i < 90; ++i)
      if (i % 3 == u % 3 && (u * 31 + i * i * 17) % (i + 20) < 15) taken.push_back(i);
    for (std::size_t n = 0; n < taken.size(); ++n)
      (n + 1 == taken.size() ? test : train) +=
          fmt::format("u{},i{}\n", u, taken[(n + static_cast<std::size_t>(u)) % taken.size()]);
  }
  write_text(folder / "train.csv", train);
  write_text(folder / "test.csv", test);
  REQUIRE(run_fm(folder, {"train", "train.csv", "--task", "ranking", "--factors", "4", "--model", "ranked.model",
                          "--epochs", "30", "--rate", "0.03", "--batch", "64", "--quiet"})
              .code == 0);
  const auto json = nlohmann::json::parse(
      run_fm(folder, {"evaluate", "ranked.model", "test.csv", "--top", "10", "--without", "train.csv", "--json"}).out);
  CHECK(json["users"] == 60);
  CHECK(json["taken"] == 60);
  CHECK(json["model"]["ndcg@10"] > 1.3 * json["popularity"]["ndcg@10"].get<double>());
  CHECK(json["model"]["hit rate@10"] > json["popularity"]["hit rate@10"]);
}
