"""report.html in a real browser: headless Chromium, from a file, without a network."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hf_asr.report import page
from tests.report import folder as made
from tests.report.hostile import HOSTILE, hostile

pytestmark = pytest.mark.slow

ARGUMENTS = [
    "--no-sandbox",  # root, in a container
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]
PATIENCE = 60_000  # ms: others may work on this machine
ARABIC = ["ذهب الولد إلى المدرسة صباح اليوم", "هذا كتاب جديد عن التاريخ القديم", "اتصل بي عندما تصل إلى البيت"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright, to look at the report")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium here to look at the report with (on Debian and Ubuntu: apt install chromium)")
    with playwright.sync_playwright() as driver:
        yield (chromium := driver.chromium.launch(executable_path=found, args=ARGUMENTS, timeout=PATIENCE))
        chromium.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page.write(made.write(tmp_path_factory.mktemp("runs") / "run", made.prompts(70)[20:], audio=5))


class Visit:
    """A page, and everything it said, asked for or failed at."""

    def __init__(self, browser: Any, path: Path, width: int = 1280, dark: bool = False) -> None:
        scheme = "dark" if dark else "light"
        self.context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append("dialog"), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.resolve().as_uri())

    def texts(self, selector: str) -> list[str]:
        return [str(text) for text in self.page.locator(selector).all_inner_texts()]

    @property
    def ids(self) -> list[str]:
        return self.texts("#list h3")


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    visits: list[Visit] = []

    def go(path: Path, width: int = 1280, dark: bool = False) -> Visit:
        visits.append(Visit(browser, path, width, dark))
        return visits[-1]

    yield go
    for one in visits:
        one.context.close()
        assert one.said == []
        assert [url for url in one.asked if not url.startswith(("file:", "data:"))] == []
        assert sum(url.startswith("file:") for url in one.asked) == 1


def test_tables_are_sorted_by_mouse_and_by_keyboard(visit: Any, report: Path) -> None:
    seen = visit(report)
    header = seen.page.locator("#systems th", has_text="WER")
    cells = "#systems tbody td:nth-child(3) b"
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    rising = [float(text.replace("\u00a0%", "")) for text in seen.texts(cells)]
    assert rising == sorted(rising)
    header.locator("button").press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert [float(text.replace("\u00a0%", "")) for text in seen.texts(cells)] == rising[::-1]
    size = seen.page.locator("#systems th", has_text="size")
    size.locator("button").press("Space")
    assert seen.texts("#systems tbody td:last-child")[-2:] == ["–", "–"]  # what has no value stays last
    assert seen.page.locator("#systems [aria-sort]").count() == 1


def test_slices_are_sorted_within_their_group(visit: Any, report: Path) -> None:
    seen = visit(report)
    before = [set(group.splitlines()) for group in seen.texts("#slice-table tbody")]
    seen.page.locator("#slice-table th", has_text="words").locator("button").click()
    groups = seen.page.locator("#slice-table tbody")
    assert [set(group.splitlines()) for group in seen.texts("#slice-table tbody")] == before
    for n in range(groups.count()):
        assert "by " in groups.nth(n).locator("tr").first.inner_text()
        counts = [int(text.replace(",", "")) for text in groups.nth(n).locator("td:nth-child(3)").all_inner_texts()]
        assert counts == sorted(counts)


def test_the_worst_clips_come_first_and_the_list_is_paged(visit: Any, report: Path) -> None:
    seen = visit(report)

    def errors() -> list[int]:
        return [0 if text.startswith("no") else int(text.split()[0]) for text in seen.texts("#list .count")]

    first = errors()
    assert len(first) == 20
    assert first == sorted(first, reverse=True)
    assert first[0] > 1
    assert seen.page.locator("#before").is_disabled()
    seen.page.locator("#next").click()
    assert max(errors()) <= first[-1]
    seen.page.locator("#at").fill("3")
    seen.page.locator("#at").press("Enter")
    assert len(errors()) == 10
    assert seen.page.locator("#status").inner_text() == "41 to 50 of 50 clips, fine-tuned"
    assert seen.page.locator("#next").is_disabled()


def test_errors_are_told_without_colour(visit: Any, report: Path) -> None:
    seen = visit(report)
    styles = seen.page.evaluate(
        """() => ["s", "d", "i"].map((op) => {
             const pair = document.querySelector(`#list .pair.${op}`), style = getComputedStyle(pair);
             const [said, heard] = [...pair.children].map((one) => getComputedStyle(one));
             return [getComputedStyle(pair, "::before").content, style.borderTopStyle, said.textDecorationLine,
                     heard.textDecorationLine, pair.children[op === "i" ? 0 : 1].textContent];
           })"""
    )
    assert [style[0] for style in styles] == ['"S"', '"D"', '"I"']
    assert [style[1] for style in styles] == ["solid", "dashed", "dotted"]
    assert styles[1][2:] == ["line-through", "none", "–"]
    assert styles[2][2:] == ["none", "underline", "–"]
    label = seen.page.locator("#list .diff").first.get_attribute("aria-label")
    assert label.startswith("Said: ")
    assert "Heard: " in label


def test_the_search_filters_by_id_and_by_words(visit: Any, report: Path) -> None:
    seen = visit(report)
    status, search = seen.page.locator("#status"), seen.page.locator("#search")
    target = seen.ids[7]
    search.fill(target.upper())
    assert target in seen.ids
    assert all(target in name for name in seen.ids)
    search.fill("conference")
    assert seen.ids
    assert all("conference" in text.lower() for text in seen.texts("#list > li"))
    search.fill("pound please")  # in any order
    for n in range(seen.page.locator("#list .diff").count()):
        label = seen.page.locator("#list .diff").nth(n).get_attribute("aria-label").lower()
        assert "pound" in label
        assert "please" in label
    search.fill("nosuchword")
    assert seen.ids == []
    assert "No clip matches" in status.inner_text()
    search.fill("")
    assert "of 50 clips" in status.inner_text()


def test_filters_by_errors_and_by_another_system(visit: Any, report: Path) -> None:
    seen = visit(report)
    seen.page.locator("#order").select_option("given")
    seen.page.locator("#wrong").check()
    assert not any(text.startswith("no errors") for text in seen.texts("#list .count"))
    some = int(seen.page.locator("#status").inner_text().split(" of ")[1].split()[0])
    assert 0 < some < 50
    seen.page.locator("#wrong").uncheck()
    totals = []
    for sign in ("-1", "1"):
        seen.page.locator("#compared").select_option(f"{sign}:zero-shot")
        totals.append(int(seen.page.locator("#status").inner_text().split(" of ")[1].split()[0]))
    assert totals[0] > totals[1]
    seen.page.locator("#system").select_option("baseline")
    assert "of 50 clips, baseline" in seen.page.locator("#status").inner_text()
    assert seen.page.locator("#compared").input_value() == ""
    seen.page.locator("#list summary").first.click()
    assert "fine-tuned: " in seen.page.locator("#list details dl").first.inner_text()


def test_a_confusion_leads_to_its_clips(visit: Any, report: Path) -> None:
    seen = visit(report)
    button = seen.page.locator(".chips button").first
    said, heard = button.get_attribute("data-search").split(">")
    times = int(button.locator("b").inner_text().rstrip("×"))
    button.press("Enter")
    assert seen.page.locator("#search").input_value() == f"{said}>{heard}"
    kind = "s" if said and heard else "d" if said else "i"
    pairs = [pair.split("\n") for pair in seen.texts(f"#list .pair.{kind}")]
    assert pairs.count([said or "–", heard or "–"]) == times


def test_recordings_play(visit: Any, report: Path) -> None:
    seen = visit(report)
    assert seen.page.locator("audio").count() == 5
    state = seen.page.evaluate(
        """async () => {
             const audio = document.querySelector("audio");
             audio.muted = true;
             await audio.play();
             for (let n = 0; n < 300 && audio.currentTime < 0.2; n++) await new Promise((go) => setTimeout(go, 100));
             return [audio.readyState, audio.currentTime, audio.duration, audio.error];
           }"""
    )
    assert state[0] >= 2
    assert state[1] > 0.1
    assert state[2] > 0.3
    assert state[3] is None


def test_everything_is_reached_by_keyboard_and_seen(visit: Any, report: Path) -> None:
    seen = visit(report)
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    assert seen.page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    reached, hidden = set(), []
    for _ in range(120):
        told = seen.page.evaluate(
            """() => { const one = document.activeElement, style = getComputedStyle(one);
                       return [one.id || one.tagName, style.outlineStyle, parseFloat(style.outlineWidth)]; }"""
        )
        reached.add(told[0])
        if told[0] != "BODY" and (told[1] == "none" or told[2] < 1):
            hidden.append(told)
        seen.page.keyboard.press("Tab")
    assert reached >= {"A", "BUTTON", "SUMMARY", "system", "search", "compared", "order", "wrong", "AUDIO"}
    assert hidden == []


@pytest.mark.parametrize("width", [360, 320])
def test_a_phone_does_not_scroll_sideways(visit: Any, tmp_path: Path, width: int) -> None:
    def long_words(results: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        rows[0] |= {"id": "x" * 200, "reference": "y" * 200, "speaker": "z" * 200}
        rows[0]["systems"]["fine-tuned"]["pipeline"] = "w" * 300
        results |= {"name": "n" * 90}
        results["confusions"].insert(0, {"reference": "y" * 200, "hypothesis": "w" * 300, "count": 2})

    seen = visit(page.write(made.write(tmp_path / "run", made.prompts(30), audio=3, change=long_words)), width)
    seen.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    widths = seen.page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth]")
    assert widths == [width] * 3


def test_hostile_transcripts_are_shown_as_they_are(visit: Any, tmp_path: Path) -> None:
    seen = visit(page.write(made.write(tmp_path / "run", made.prompts(20), change=hostile)))
    seen.page.locator("#order").select_option("given")
    seen.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    seen.page.locator("#list dd").nth(1).wait_for()
    assert seen.page.evaluate("window.hacked === undefined")
    assert seen.page.locator("img, iframe, object, embed, form form").count() == 0
    assert seen.page.evaluate("document.scripts.length") == 2
    assert seen.ids[:2] == [f"{HOSTILE[0]} 0", f"{HOSTILE[1]} 1"]
    assert seen.page.locator("#list li").first.locator("dd").first.inner_text() == HOSTILE[0]
    button = seen.page.locator(".chips button").first
    button.click()
    assert seen.page.evaluate("window.hacked === undefined")


def test_transcripts_run_from_right_to_left_where_they_are_so_written(visit: Any, tmp_path: Path) -> None:
    clips = [(f"ar-{n}", text, 3.0) for n, text in enumerate(ARABIC * 3)]
    seen = visit(page.write(made.write(tmp_path / "run", clips, language="ar")))
    diff = seen.page.locator("#list .diff").first
    assert diff.get_attribute("lang") == "ar"
    assert diff.evaluate("(one) => getComputedStyle(one).direction") == "rtl"
    boxes = diff.evaluate("(one) => [...one.children].map((word) => word.getBoundingClientRect().left)")
    assert boxes[0] > boxes[1]
    assert seen.page.locator("#list").evaluate("(one) => getComputedStyle(one).direction") == "ltr"


def test_dark_light_and_print(visit: Any, report: Path) -> None:
    light, dark = visit(report), visit(report, dark=True)
    ground = "() => getComputedStyle(document.body).backgroundColor"
    assert light.page.evaluate(ground) == "rgb(255, 255, 255)"
    assert sum(map(int, dark.page.evaluate(ground)[4:-1].split(","))) < 120
    dark.page.emulate_media(media="print", color_scheme="dark")
    assert dark.page.evaluate(ground) == "rgb(255, 255, 255)"
    for hidden in ("nav", "#controls", "audio >> nth=0", ".pages"):
        assert not dark.page.locator(hidden).is_visible()
    assert dark.page.locator("#list .diff").first.is_visible()


def test_what_one_system_on_few_clips_does_not_need_is_not_there(visit: Any, tmp_path: Path) -> None:
    def alone(results: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        for tree in (results, *rows, *results["slices"]):
            tree["systems"] = {"fine-tuned": tree["systems"]["fine-tuned"]}

    seen = visit(page.write(made.write(tmp_path / "run", made.prompts(10), change=alone)))
    assert len(seen.ids) == 10
    assert not seen.page.locator("#compared").is_visible()
    assert not seen.page.locator("#next").is_visible()


def test_an_unfinished_run_has_curves_and_no_clips(visit: Any, tmp_path: Path) -> None:
    seen = visit(page.write(made.unfinished(tmp_path / "run"), refresh=15), 360)
    assert seen.page.locator(".curve path").count() == 4
    assert seen.page.locator("meta[http-equiv=refresh]").get_attribute("content") == "15"
    assert seen.page.locator("#list").count() == 0
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 360


def test_twenty_thousand_clips_stay_usable(visit: Any, tmp_path: Path) -> None:
    path = page.write(made.write(tmp_path / "run", made.prompts(20_000), audio=20))
    assert path.stat().st_size < page.LIMIT
    seen = visit(path)
    assert "of 20,000 clips" in seen.page.locator("#status").inner_text()
    assert seen.page.locator("#list > li").count() == 20
    assert seen.page.evaluate("document.querySelectorAll('*').length") < 5000
    seen.page.locator("#search").fill("conference please")
    assert "of 20,000" not in seen.page.locator("#status").inner_text()
    seen.page.locator("#at").fill("2")
    seen.page.locator("#at").press("Enter")
    assert seen.page.locator("#status").inner_text().startswith("21 to 40")
