"""Opens pages of write_page in Chromium: they explain every element, show what C++ recorded, obey all keys, keep their
state in the address, need no network, say nothing on the console, and are accessible. Without playwright the pages
check themselves; without Chromium the test is skipped (77).

usage: walkthrough.py FOLDER            a folder of gradus_outward walkthroughs; screenshots are left in it
       walkthrough.py PAGE              a page of the article's program; screenshots are left beside it
       walkthrough.py --picture PAGE PNG
"""

import base64
import hashlib
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None
try:
    from axe_playwright_python.sync_playwright import Axe
except ImportError:
    Axe = None

PAGES = {  # how many elements the page must explain, and may leave unexplained
    "article": (10000, 0),
    "sparse": (500, 0),
    "not_finite": (30, 0),
    "ranks": (900, 60),
    "hostile": (20, 0),
    "one": (0, 0),
    "many": (300, 200),
}
failures = []


def check(holds, what):
    if not holds:
        failures.append(what)
        print("failed:", what)


def check_selftest(name, text):
    found = re.fullmatch(r"selftest: ok (\d+) checks, (\d+) not explained", text or "")
    check(found, f"{name}: {text}")
    if found:
        least, most = PAGES.get(name, PAGES["article"])
        check(int(found[1]) >= least and int(found[2]) <= most, f"{name}: {text}; at least {least}, at most {most}")


def without_playwright(browser, pages):
    """What the pages say of themselves."""
    for path in pages:
        run = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={path.parent}/profile",
             "--virtual-time-budget=20000", "--dump-dom", f"file://{path}#selftest"],
            capture_output=True, text=True, check=True)
        found = re.search(r'<p id="selftest">([^<]*)', run.stdout)
        check_selftest(path.stem, found and found[1])
    print(f"{len(pages)} pages, by themselves: there is no playwright")


class Opened:
    """A page that is open: what it asks for and says is counted."""

    def __init__(self, browser, path, width=1280, height=800, address="", **look):
        self.context = browser.new_context(viewport={"width": width, "height": height}, **look)
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.name = path.stem
        self.page.goto(f"file://{path}{address}")

    def close(self):
        asked = [url for url in self.asked if not url.startswith("data:")]
        check(len(asked) == 1, f"{self.name}: asks for {asked}")
        check(not self.said, f"{self.name}: says {self.said}")
        self.context.close()

    def state(self):
        return self.page.evaluate("({t: frames[state.f].t, n: state.n, back: state.back, plan: state.plan, c: state.c})")

    def comes(self, holds):
        """Whether it holds within ten seconds. (Playwright's own waiting makes code of a string, as the page's policy forbids.)"""
        for _ in range(500):
            if holds():
                return True
            self.page.wait_for_timeout(20)
        return False

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)


def close_to(a, b):
    if b is None:
        return not isinstance(a, (int, float)) or not math.isfinite(a)
    return a is not None and math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-30)


def check_truth(opened, truth):
    for each in truth:
        value, gradient = opened.page.evaluate(
            """({t, n, c}) => { state.f = nearest(t); const g = tensor('gradient', n);
               return [frames[state.f].t === t ? tensor('value', n).v[c] : null, g ? g.v[c] : null]; }""", each)
        check(close_to(value, each["value"]), f"article: value {value} of {each}")
        if "gradient" in each:
            check(close_to(gradient, each["gradient"]), f"article: gradient {gradient} of {each}")
    # What is seen, for some of them.
    for each in [each for each in truth if each["value"]][:20]:
        opened.page.evaluate("({t, n, c}) => go({f: nearest(t), n, c, back: false, plan: false})", each)
        seen = opened.page.locator("#why .head").text_content().split(" = ")[1].replace("−", "-")
        check(math.isclose(float(seen), each["value"], rel_tol=5e-4), f"article: shows {seen}, not {each}")


def check_keys(opened):
    page, last = opened.page, opened.page.evaluate("nodes.length - 1")
    page.evaluate("go({f: 0, n: 0, back: false, plan: false})")
    for n in range(1, last + 1):
        opened.press("ArrowRight")
        check(opened.state()["n"] == n, f"ArrowRight does not lead to node {n}")
    opened.press("ArrowRight", "b")
    check(opened.state()["n"] == last and opened.state()["back"], "the walk does not end, or b does not turn it")
    for n in range(last - 1, -1, -1):
        opened.press("ArrowRight")
        check(opened.state()["n"] == n, f"backward, ArrowRight does not lead to node {n}")
    opened.press("ArrowLeft")
    check(opened.state()["n"] == 1, "backward, ArrowLeft does not lead back")
    opened.press("Home")
    check(opened.state()["n"] == last, "Home")
    opened.press("End", "b", "ArrowUp", "ArrowUp", "ArrowDown")
    check(opened.state() | {"c": 0} == {"t": 1, "n": 0, "back": False, "plan": False, "c": 0}, f"End, b, arrows: {opened.state()}")
    opened.press("p")
    check(page.locator(".plan").is_visible() and not page.locator(".why").is_visible(), "p does not show the plan")
    page.locator("#passes input").last.check()
    check(page.evaluate("state.pass === run.plans.length - 1"), "the switch of a pass")
    opened.press("p", "g")
    check(page.locator("#why .guess").is_visible(), "g does not ask")
    check("?" in page.locator("#why .head").text_content(), "g does not cover")
    page.locator("#why .guess button").first.click()
    check("guesses were right" in page.locator("#why").text_content(), "a guess is not answered")
    opened.press("g", "?")
    check(page.locator("dialog").is_visible(), "? does not list the keys")
    opened.press("Escape")
    page.locator("dialog").wait_for(state="hidden")
    opened.press("/")
    check(opened.comes(lambda: page.evaluate("document.activeElement.id") == "find"), "/ does not lead to the search")
    page.keyboard.type("y_hat")
    opened.press("Enter")
    check(opened.comes(lambda: page.evaluate("nodes[state.n].name") == "y_hat"), "the search does not find y_hat")
    opened.press(" ")
    check(page.locator("#play").text_content() == "Pause", "the space bar does not play")
    opened.press(" ")
    page.locator("#tensor td[tabindex='0']").first.focus()
    before = opened.state()
    opened.press("ArrowDown")
    check(opened.state()["c"] == before["c"] + 1 or before["c"] == 6, "arrows in a tensor do not move the cell")
    check(opened.state()["n"] == before["n"] and opened.state()["t"] == before["t"], "arrows in a tensor move the walk")
    page.locator("#why .ref").first.click()
    check(opened.state()["n"] != before["n"], "a name in a formula leads nowhere")
    page.mouse.click(*page.evaluate("(() => { const b = $('chart').getBoundingClientRect(); return [b.right - 40, b.top + 40]; })()"))
    check(opened.state()["t"] > 500, "the loss curve cannot be clicked")
    page.locator("#step").fill("0")
    opened.press("Tab")
    check(opened.state()["t"] == 0, "a step cannot be typed")


def check_address(browser, path):
    for address in ["#t=10&n=14&d=back&v=numbers&c=2,3", "#t=1000&n=20&d=forward&v=plan&c="]:
        opened = Opened(browser, path, address=address)
        state = opened.page.evaluate("location.hash")
        check(state == address, f"{address} becomes {state}")
        opened.context.close()
    opened = Opened(browser, path, address="#t=-5&n=9999&d=x&v=y&c=99,99,1")
    check(not opened.said, f"a wrong address makes it say {opened.said}")
    opened.context.close()


def check_access(browser, path):
    for name, look in {"light": {"color_scheme": "light"}, "dark": {"color_scheme": "dark"},
                       "forced": {"forced_colors": "active"}}.items():
        for view in ["#t=10&n=14&d=forward&v=numbers", "#t=10&n=14&d=back&v=numbers", "#t=10&n=20&v=plan"]:
            if Axe is None:
                continue
            opened = Opened(browser, path, address=view, bypass_csp=True, reduced_motion="reduce", **look)
            for fault in Axe().run(opened.page).response["violations"]:
                check(False, f"{path.stem}, {name}, {view}: {fault['id']}: {fault['nodes'][0]['html'][:200]} "
                             f"{fault['nodes'][0]['failureSummary'][:300]}")
            opened.context.close()
    for width, height in [(1280, 800), (768, 1000), (320, 640)]:
        for scheme in ["light", "dark"]:
            opened = Opened(browser, path, width, height, color_scheme=scheme)
            check(opened.page.evaluate("document.documentElement.scrollWidth") <= width, f"{width} pixels overflow")
            opened.page.screenshot(path=path.with_name(f"{path.stem}_{width}_{scheme}.png"), full_page=width < 1280)
            opened.context.close()


def check_without_script(browser, path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"file://{path}")
    check(page.locator("#graph .node").count() > 30 and page.locator(".still table").count() > 20, "it is empty without script")
    context.close()


def tell_time(opened):
    took = opened.page.evaluate("""(() => { const t = performance.now(); for (let i = 0; i < 20; i++) step(i % 2 ? -1 : 1);
                                            return (performance.now() - t) / 20; })()""")
    print(f"a step takes {took:.1f} ms")


def check_refuses_other_versions(browser, folder):
    page = (folder / "one.html").read_text(encoding="utf-8").replace('"version":1', '"version":2')
    page = re.sub(r'"loss":"[^"]*"', '"loss":[1,2]', page)  # what another version has there is not looked at
    (folder / "version2.html").write_text(page, encoding="utf-8")
    opened = Opened(browser, folder / "version2.html")
    check("of version 2" in opened.page.locator("#say").text_content(), "another version is not refused in words")
    opened.close()


FAULTS = {  # what is written into the page's script, and what the page then must say
    "a wrong derivative": ("['a', (a) => a]]", "['a', (a, b) => b]]"),
    "swapped axes": ("shape.length - 1 - axis", "axis"),
    "an assignment for a sum": ("(sum, part) => sum + part.recorded", "(sum, part) => part.recorded"),
    "a product with one term less": ("{length: inner}", "{length: inner - 1}"),
}


def check_faults_are_seen(browser, folder):
    """A test that cannot fail proves nothing."""
    def policy(script):
        return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

    for name, (right, wrong) in FAULTS.items():
        page = (folder / "article.html").read_text(encoding="utf-8")
        script = page[page.rindex("<script>") + 8 : page.rindex("</script>")]
        check(right in script, f"planted: {right} is not in the script")
        faulty = script.replace(right, wrong)
        (folder / "faulty.html").write_text(page.replace(script, faulty).replace(policy(script), policy(faulty)), encoding="utf-8")
        opened = Opened(browser, folder / "faulty.html")
        check(opened.page.evaluate("selftest().wrong.length") > 0, f"planted: {name} is not seen")
        opened.close()
    page = (folder / "article.html").read_text(encoding="utf-8")
    (folder / "faulty.html").write_text(page.replace("<main>", '<img src="https://example.invalid/x.png"><main>'), encoding="utf-8")
    opened = Opened(browser, folder / "faulty.html")
    check(opened.comes(lambda: any("Content Security Policy" in text for text in opened.said)),
          "planted: an image of the network is not refused")
    opened.context.close()


def check_page(browser, path):
    """Every element, and every node, of many some, in both directions and in the plan."""
    opened = Opened(browser, path)
    opened.page.evaluate("""(() => { const {ok, unknown, wrong} = selftest(); draw(); window.told = wrong.length
        ? `selftest: ${wrong.length} wrong: ${wrong.slice(0, 3)}` : `selftest: ok ${ok} checks, ${unknown} not explained`; })()""")
    check_selftest(path.stem, opened.page.evaluate("told"))
    count = opened.page.evaluate("nodes.length")
    for n in range(0, count, 1 + count // 100):
        opened.page.evaluate("(n) => { for (const back of [false, true]) go({n, back}); }", n)
    opened.page.evaluate("go({plan: true})")
    opened.close()


def check_article(browser, path):
    check(path.stat().st_size <= 1_000_000, f"the article's page has {path.stat().st_size} bytes")
    opened = Opened(browser, path)
    truth = path.with_suffix(".json")
    if truth.exists():
        check_truth(opened, json.loads(truth.read_text(encoding="utf-8")))
    check_keys(opened)
    tell_time(opened)
    opened.close()
    check_address(browser, path)
    check_access(browser, path)
    check_without_script(browser, path)


def with_playwright(executable, pages):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for path in pages:
            check_page(browser, path)
        check_article(browser, pages[0])
        if len(pages) > 1:
            check_refuses_other_versions(browser, pages[0].parent)
            check_faults_are_seen(browser, pages[0].parent)
        print(f"{len(pages)} pages, by Chromium {browser.version}" + ("" if Axe else "; there is no axe: access is not checked"))
        browser.close()


def picture(executable, page, png):
    """A picture of a page for a README: backward, at a matrix product."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        opened = Opened(browser, pathlib.Path(page).resolve(), 1195, 770, color_scheme="light", reduced_motion="reduce")
        opened.page.evaluate("go({f: nearest(10), n: nodes.findIndex((node) => node.op === 'matmul'), back: true, log: true})")
        opened.page.screenshot(path=png)
        browser.close()


def main():
    executable = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    if executable is None:
        print("skipped: there is no Chromium")
        return 77
    if sys.argv[1] == "--picture":
        picture(executable, *sys.argv[2:])
        return 0
    given = pathlib.Path(sys.argv[1]).resolve()
    pages = [given / f"{name}.html" for name in PAGES] if given.is_dir() else [given]
    (with_playwright if sync_playwright else without_playwright)(executable, pages)
    return 1 if failures else 0


sys.exit(main())
