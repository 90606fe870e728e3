#include "report.h"

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/models/formats/page_text.h>
#include "report_charts.h"

#include <fmt/format.h>

#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>

namespace fm {

using namespace gradus;

namespace {

// Blue and orange stay apart for all kinds of colour blindness.
constexpr std::string_view style = R"css(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1c2430; --soft: #5a6675; --edge: #e2e6eb;
  --grid: #e9edf1; --axis: #98a3b0; --first: #2563c9; --second: #d9742b; --placeholder: #dbe8fb; --variable: #fcebcf;
  --constant: #eef1f4; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12161c; --card: #1a2028; --ink: #e4e9ef; --soft: #9aa6b5; --edge: #2c3540; --grid: #27303a;
    --axis: #6b7785; --first: #6ea3f5; --second: #efa05f; --placeholder: #1f3558; --variable: #4a3717;
    --constant: #2a323c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 1128px; margin: 0 auto; padding: 40px clamp(10px, 3vw, 24px) 56px; }
h1 { margin: 0; font-size: 28px; font-weight: 650; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 36px 0 12px; font-size: 17px; font-weight: 650; }
.subtitle { margin: 4px 0 0; color: var(--soft); overflow-wrap: anywhere; }
.headline { margin: 22px 0 0; font-size: 21px; line-height: 1.35; max-width: 46em; }
.remark { margin: 8px 0 0; color: var(--soft); max-width: 60em; }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 10px;
  padding: clamp(8px, 2.5vw, 18px); min-width: 0; }
.results { display: flex; flex-wrap: wrap; gap: 16px; margin: 24px 0 0; }
.results .card { padding: 14px 18px 12px; flex: 1 1 150px; max-width: 258px; }
.results dt { color: var(--soft); font-size: 13px; }
.results dd { margin: 0; font-size: 25px; font-weight: 600; line-height: 1.3; letter-spacing: -0.01em;
  overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); gap: 16px; }
figure { margin: 0; }
figcaption { margin: 0 0 8px; font-weight: 600; font-size: 14px; }
.picture { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.facts { display: grid; grid-template-columns: fit-content(55%) 1fr; gap: 2px 20px; margin: 0; font-size: 14px; }
.facts dt { color: var(--soft); overflow-wrap: anywhere; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.columns { columns: 280px 3; column-gap: 36px; font-size: 14px; }
.columns div { display: flex; gap: 16px; justify-content: space-between; padding: 3px 0; break-inside: avoid;
  border-bottom: 1px solid var(--grid); }
.columns dt { color: var(--soft); }
.columns dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.5 ui-monospace, "SF Mono", Menlo,
  Consolas, "DejaVu Sans Mono", monospace; }
.none { margin: 0; color: var(--soft); }
footer { margin-top: 36px; color: var(--soft); font-size: 13px; }
.grid { stroke: var(--grid); } .axis { stroke: var(--axis); }
.tick, .note, .name, .label { font-size: 12px; fill: var(--soft); } .label { fill: var(--ink); font-size: 12.5px; }
.first { --own: var(--first); } .second { --own: var(--second); }
.curve { fill: none; stroke: var(--own); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.thin { stroke-width: 1.25; opacity: 0.55; }
.dot, .fill { fill: var(--own); } .fill { shape-rendering: crispEdges; } .cloud { fill: var(--own); opacity: 0.45; }
.best { fill: var(--card); stroke: var(--own); stroke-width: 2.5; }
.interval { stroke: var(--own); stroke-width: 1.5; opacity: 0.6; }
.mark, .ideal { stroke: var(--axis); stroke-dasharray: 4 4; }
.node { fill: var(--card); stroke: var(--axis); } .placeholder { fill: var(--placeholder); }
.variable { fill: var(--variable); } .constant { fill: var(--constant); }
.node-name { font-size: 12px; font-weight: 600; fill: var(--ink); } .node-type { font-size: 11px; fill: var(--soft); }
.edge { fill: none; stroke: var(--axis); stroke-width: 1.25; }
.key { display: inline-block; width: 11px; height: 11px; border: 1px solid var(--axis); border-radius: 3px;
  margin: 0 6px 0 16px; }
.legend { margin: 10px 0 0; color: var(--soft); font-size: 13px; text-align: center; }
.p { background: var(--placeholder); } .v { background: var(--variable); } .c { background: var(--constant); }
@media print { body { background: none; } .card { break-inside: avoid; } }
)css";

std::string entries(const Facts& facts) {
  std::string html;
  for (const Fact& fact : facts)
    html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(fact.name), escaped(readable_fact(fact)));
  return html;
}

std::string results(const Facts& facts) {
  if (facts.empty()) return {};
  std::string html = "<dl class=\"results\">\n";
  for (const Fact& fact : facts)
    html += fmt::format("<div class=\"card\"><dt>{}</dt><dd>{}</dd></div>\n", escaped(fact.name),
                        escaped(readable_fact(fact, 4)));

  return html + "</dl>\n";
}

struct Figure {
  std::string_view caption;
  std::string picture;
};

// Figures side by side; what is drawn where there is none is said in a word.
std::string section(std::string_view heading, std::initializer_list<Figure> figures, std::string_view none) {
  std::string html = fmt::format("<section>\n<h2>{}</h2>\n", escaped(heading));
  std::string cards;
  for (const Figure& figure : figures)
    if (!figure.picture.empty())
      cards += fmt::format("<figure class=\"card\">\n<figcaption>{}</figcaption>\n{}</figure>\n",
                           escaped(figure.caption), figure.picture);
  return html +
         (cards.empty() ? fmt::format("<p class=\"card none\">{}</p>\n", none)
                        : fmt::format("<div class=\"pair\">\n{}</div>\n", cards)) +
         "</section>\n";
}

std::string predictions(const Report& report) {
  constexpr std::string_view none = "There are no rows to compare with: none were held out.";
  const std::string heading =
      report.predicted_rows.empty() ? "Predictions" : fmt::format("Predictions for {}", report.predicted_rows);
  if (report.task == Task::binary)
    return section(heading,
                   {{"Do the probabilities hold?", calibration_chart(report)},
                    {"How sure the model is", probability_chart(report)}},
                   none);
  return section(
      heading,
      {{"Actual against predicted", fit_chart(report)}, {"How far off, and which way", residual_chart(report)}}, none);
}

std::string wide(std::string_view heading, const std::string& picture, std::string_view legend = {}) {
  if (picture.empty()) return {};
  return fmt::format("<section>\n<h2>{}</h2>\n<div class=\"card\">\n{}{}</div>\n</section>\n", heading, picture,
                     legend);
}

std::string facts_card(std::string_view heading, const Facts& facts) {
  if (facts.empty()) return {};
  return fmt::format("<section>\n<h2>{}</h2>\n<dl class=\"card facts\">\n{}</dl>\n</section>\n", heading,
                     entries(facts));
}

std::string options_card(const Facts& options) {
  if (options.empty()) return {};
  std::string rows;
  for (const Fact& option : options)
    rows += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(option.name), escaped(readable_fact(option)));
  return fmt::format(
      "<section>\n<h2>Options</h2>\n<dl class=\"card\"><div class=\"columns\">\n{}</div></dl>\n</section>\n", rows);
}

}  // namespace

std::string readable_fact(const Fact& fact, int digits) {
  switch (fact.kind) {
    case Fact::Kind::truth: return fact.integer != 0 ? "yes" : "no";
    case Fact::Kind::integer: return readable_integer(fact.integer);
    case Fact::Kind::number: return readable(fact.number, digits);
    case Fact::Kind::text: break;
  }
  return fact.text;
}

std::string to_html(const Report& report) {
  if (report.targets.size() != report.predictions.size())
    fail<ValueError>("write_report: there are {} targets but {} predictions", report.targets.size(),
                     report.predictions.size());
  constexpr std::string_view legend =
      "<p class=\"legend\"><span class=\"key p\"></span>fed<span class=\"key v\"></span>learnt"
      "<span class=\"key c\"></span>constant<span class=\"key\"></span>computed</p>\n";
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{0}</h1>\n",
      escaped(report.title), style);
  if (!report.subtitle.empty()) html += fmt::format("<p class=\"subtitle\">{}</p>\n", escaped(report.subtitle));
  html += "</header>\n";
  if (!report.headline.empty()) html += fmt::format("<p class=\"headline\">{}</p>\n", escaped(report.headline));
  if (!report.remark.empty()) html += fmt::format("<p class=\"remark\">{}</p>\n", escaped(report.remark));
  html += results(report.results);
  html += section("Learning", {{"Loss by epoch", learning_chart(report)}}, "There are no epochs to draw.");
  html += predictions(report);
  html += wide("Strongest features", feature_chart(report));
  html += fmt::format("<div class=\"pair\">\n{}{}{}</div>\n", facts_card("Data", report.data),
                      facts_card("Columns", report.columns), facts_card("Model", report.model));
  html += wide("The prediction as a graph", graph_chart(report), legend);
  html += options_card(report.options);
  if (!report.command.empty())
    html +=
        fmt::format("<section>\n<h2>Command</h2>\n<pre class=\"card\">{}</pre>\n</section>\n", escaped(report.command));
  return html + fmt::format("<footer>Made by gradus {}.</footer>\n</main>\n</body>\n</html>\n", GRADUS_VERSION);
}

void write_report(const std::string& path, const Report& report) {
  const std::string page = to_html(report);
  write_file_atomically(path, std::as_bytes(std::span(page)));
}

}  // namespace fm
