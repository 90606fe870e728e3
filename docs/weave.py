#!/usr/bin/env python3
"""Keeps the pages of docs/ equal to the programs that they are about. A comment says where what follows comes from:

  <!--file 02_reverse.cpp diamond-->   what stands between // [diamond] and // [/] in the lesson
  <!--quote ops/gradients.cpp::receive 83d257-->   a function of the library, and the fingerprint of what the page is about
  <!--output 02_reverse 3-5-->         lines of what the lesson prints (examples/lessons/expected)
  <!--v 02_reverse added-->41<!--/v-->   a value in a sentence: the lesson prints "added: 41"
  [`receive`](../ops/gradients.cpp#L110)   a link whose line is looked up

  weave.py --update      makes expected/ anew where lessons are built, and rewrites all of these but quotes that changed
  weave.py --check       says what is not as it should be, and ends with 1 then
  weave.py --accept 02   the page is right again: takes over text and fingerprints of its quotes
  weave.py --prove       changes, in memory, each quote and each line of an output: is the page named?
"""
import argparse, hashlib, os, re, subprocess, sys, tempfile, textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LESSONS, EXPECTED = "examples/lessons/", "examples/lessons/expected/"
HEADINGS = ["The question", "Predict", "The program", "What it prints", "Inside the library", "Change it", "Prove it",
            "What this leaves out", "Read on"]
MOST_WORDS, MOST_LINES, MOST_QUOTED = 1200, 60, 40
BLOCK = re.compile(r"<!--(file|quote|output) ([^\n]*?)-->\n```(\w*)\n(.*?)\n?```", re.S)
VALUE = re.compile(r"<!--v (\w+) ([^\n]*?)-->(.*?)<!--/v-->", re.S)
CODE_LINK = re.compile(r"\[`([\w:]+)`\]\(\.\./([\w./]+)#L\d+\)")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(#[^)]*)?\)")


class Wrong(Exception):
    """What is not as a page says."""


class Tree:
    """The files of the checkout, some of them perhaps changed in memory."""

    def __init__(self, changed=()):
        self.changed, self.tags = dict(changed), {}

    def text(self, path):
        if path not in self.changed and not (ROOT / path).is_file():
            raise Wrong(f"there is no file {path}")
        return self.changed.get(path) or (ROOT / path).read_text(encoding="utf-8")

    def symbols(self, path):
        """(qualified name, first line, last line) of what the file defines."""
        if path not in self.tags:
            with tempfile.NamedTemporaryFile("w", suffix=".cpp", encoding="utf-8") as copy:
                copy.write(self.text(path))
                copy.flush()
                made = subprocess.run(["ctags", "-x", "--_xformat=%Z::%N\t%n\t%e", "--fields=+neZ", copy.name],
                                      check=True, capture_output=True, text=True).stdout
            rows = [re.sub(r"__anon\w+::", "", line).split("\t") for line in made.splitlines()]
            self.tags[path] = [(name, int(first), int(last)) for name, first, last in rows if last.isdigit()]
        return self.tags[path]

    def lines(self, path, symbol):
        found = [row for row in self.symbols(path) if row[0].endswith("::" + symbol)]
        if not found:
            raise Wrong(f"{path} defines no {symbol}")
        return max(found, key=lambda row: row[2] - row[1])[1:]  # the definition rather than a declaration

    def quoted(self, where):
        path, symbol = where.split("::", 1)
        first, last = self.lines(path, symbol)
        return textwrap.dedent("\n".join(self.text(path).splitlines()[first - 1:last]))

    def part(self, path, name):
        found = re.search(rf"^ *// \[{re.escape(name)}\].*?\n(.*?)^ *// \[/\]",
                          self.text(path if "/" in path else LESSONS + path), re.S | re.M)
        if not found:
            raise Wrong(f"{path} has no part // [{name}] that ends with // [/]")
        return textwrap.dedent(found[1]).rstrip("\n")

    def output(self, name, lines):
        text = self.text(f"{EXPECTED}{name}.txt").splitlines()
        first, last = (int(line) for line in lines.split("-")) if lines else (1, len(text))
        if not 1 <= first <= last <= len(text):
            raise Wrong(f"shows lines {lines} of {name}, which prints {len(text)}")
        return "\n".join(text[first - 1:last])

    def value(self, name, key):
        found = re.findall(rf"^ *{re.escape(key)}(?: *[:=] *| +(?=[-\d]))(.*?) *$", self.text(f"{EXPECTED}{name}.txt"), re.M)
        if len(found) != 1:
            raise Wrong(f'{len(found)} lines that {name} prints begin with "{key}"; one is right')
        return found[0]


def woven(tree, page, accept=False):
    """The page as it should be, and what is wrong with it besides: (line, text)."""
    text, wrong = tree.text(page), []

    def replaced(make):
        def replace(found):
            try:
                return make(found)
            except Wrong as error:
                wrong.append((found.string.count("\n", 0, found.start()) + 1, str(error)))
                return found[0]
        return replace

    def block(found):
        kind, where, language, _ = found.groups()
        first, *rest = where.split()
        if kind == "quote":
            body = tree.quoted(first)
            fingerprint = hashlib.sha256(body.encode()).hexdigest()[:6]
            if [fingerprint] != rest and not accept:
                raise Wrong(f"quotes {first.split('::', 1)[1]}, which changed; read the section \"Inside the library\" "
                            f"again, then weave.py --accept {Path(page).stem[:2]}")
            if body.count("\n") >= MOST_QUOTED:
                raise Wrong(f"quotes {first}, which is longer than {MOST_QUOTED} lines")
            where = f"{first} {fingerprint}"
        else:
            body = (tree.part if kind == "file" else tree.output)(first, " ".join(rest))
        return f"<!--{kind} {where}-->\n```{language}\n{body}\n```"

    result = BLOCK.sub(replaced(block), text)
    result = VALUE.sub(replaced(lambda f: f"<!--v {f[1]} {f[2]}-->{tree.value(f[1], f[2])}<!--/v-->"), result)
    result = CODE_LINK.sub(replaced(lambda f: f"[`{f[1]}`](../{f[2]}#L{tree.lines(f[2], f[1])[0]})"), result)
    wrong += [(text.count("\n", 0, f.start()) + 1, f"links to {f[1]}, which is not there")
              for f in LINK.finditer(text) if not (ROOT / "docs" / f[1]).exists()]
    if found := re.search(r"^[\s\d.-]*<!--v", text, re.M):
        wrong.append((text.count("\n", 0, found.end()) + 1, "begins a line with a value, which renderers take for HTML"))
    if re.match(r"\d\d_", Path(page).name):
        sections = re.findall(r"^## (.*)$", text, re.M)
        words = len(re.sub(r"```.*?```|<[^>]*>", " ", text, flags=re.S).split())
        lines = tree.text(f"{LESSONS}{Path(page).stem}.cpp").count("\n")
        for holds, what in ((sections == HEADINGS, f"has the sections {sections}; {HEADINGS} are right"),
                            (words <= MOST_WORDS, f"has {words} words; {MOST_WORDS} are the most"),
                            ("<!--quote " in text, "quotes nothing of the library"),
                            (lines <= MOST_LINES, f"is about a program of {lines} lines; {MOST_LINES} are the most")):
            wrong += [] if holds else [(1, what)]
    return result, wrong


def pages():
    return sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))


def check(tree, asked=None):
    said = []
    for page in asked or pages():
        text, wrong = woven(tree, page)
        said += [f"{page}:{line} {what}" for line, what in wrong]
        lines = enumerate(zip(text.splitlines(), tree.text(page).splitlines()), 1)
        said += [f"{page}:{number} should be {new!r}; run weave.py --update" for number, (new, old) in lines if new != old][:1]
    return said


def prove():
    """Changes what pages show, one at a time, and says where --check did not notice. Returns whether it always did."""
    proofs, missed = 0, []
    for page in pages():
        for found in (found for found in BLOCK.finditer(Tree().text(page)) if found[1] != "file"):
            path = found[2].split("::")[0] if found[1] == "quote" else f"{EXPECTED}{found[2].split()[0]}.txt"
            shown = [line.strip() for line in found[4].splitlines() if line.strip()]
            for line in [max(shown, key=len)] if found[1] == "quote" else shown:
                proofs += 1
                changed = Tree({path: Tree().text(path).replace(line, "?" + line[1:])})
                if not any(said.startswith(page + ":") for said in check(changed, [page])):
                    missed.append(f"{page}: a change of {path} goes unnoticed: {line}")
    print("\n".join(missed) or f"{proofs} changes, each noticed on its page")
    return not missed


def run_lessons():
    settings = dict(os.environ, GRADUS_ISA="portable", GRADUS_COMPILE="off", OPENBLAS_NUM_THREADS="1")
    for source in (ROOT / LESSONS).glob("*.cpp"):
        program = ROOT / "build/release" / LESSONS / source.stem
        if program.exists():
            printed = subprocess.run([program], check=True, capture_output=True, text=True, env=settings).stdout
            (ROOT / EXPECTED / f"{source.stem}.txt").write_text(printed, encoding="utf-8")


def on_page_markdown(markdown, **_):
    """For MkDocs: on the site, links into the repository become the names of the files."""
    return re.sub(r"\[([^\]]*)\]\(\.\./([^)#\s]+)(?:#L(\d+))?\)",
                  lambda f: f"{f[1]} ({f[2]}{':' + f[3] if f[3] else ''})" if f[2] not in f[1] else f[1], markdown)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--update", "--check", "--prove"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--accept", metavar="NN", default="-", help="the first letters of the page's name")
    given = parser.parse_args()
    if given.prove:
        return 0 if prove() else 1
    if given.update:
        run_lessons()
    for page in pages():
        if given.update or Path(page).name.startswith(given.accept):
            (ROOT / page).write_text(woven(Tree(), page, Path(page).name.startswith(given.accept))[0], encoding="utf-8")
    said = check(Tree())
    print("\n".join(said) or f"{len(pages())} pages are as their programs are")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
