"""The page of `hf-asr explain` in a real browser: headless Chromium, from a file, without a network."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hf_asr.explain import page as explain_page
from hf_asr.explain.steps import explain
from tests.app import build

pytestmark = pytest.mark.slow

PATIENCE = 60_000  # ms: others may work on this machine


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright, to look at the page")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium here to look at the page with (on Debian and Ubuntu: apt install chromium)")
    with playwright.sync_playwright() as driver:
        yield (chromium := driver.chromium.launch(executable_path=found, args=["--no-sandbox"], timeout=PATIENCE))
        chromium.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {"clip": folder / "clip.html", "case": folder / "case.html"}
    found = explain(build.CLIPS / "en-conf-extended.ogg", "embedded:micro")
    made["clip"].write_text(explain_page.page(found), encoding="utf-8")
    made["case"].write_text(explain_page.demonstration(), encoding="utf-8")
    return made


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    contexts, said, asked = [], [], []

    def go(path: Path, width: int = 1280, dark: bool = False) -> Any:
        scheme = "dark" if dark else "light"
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme))
        contexts[-1].set_default_timeout(PATIENCE)
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield go
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_the_pointer_tells_the_frame_and_its_beam(visit: Any, pages: dict[str, Path]) -> None:
    page = visit(pages["case"])
    case = page.locator("#case0")
    track = case.locator(".heat .track")
    box = track.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 8.5 / 17, box["y"] + 20)  # the ninth frame: | .4 c .3
    assert case.locator(".told").inner_text().split()[:7] == ["frame", "9:", "space", "|", "40", "%", "c"]
    assert case.locator("[data-live] tbody th").all_inner_texts()[:2] == ["we eat ic", "we eat i|"]
    assert case.locator("[data-live] tbody tr").first.locator("td").all_inner_texts()[-1] == "−3.71"
    assert case.locator(".now").first.get_attribute("x1") == "50%"
    slider = case.locator(".at")
    slider.focus()
    slider.press("Home")
    assert case.locator(".told").inner_text().startswith("frame 1: w 90 %")


def test_all_pictures_share_one_axis(visit: Any, pages: dict[str, Path]) -> None:
    page = visit(pages["clip"])
    edges = page.evaluate(
        "[...document.querySelectorAll('.track')].map((one) => [one.getBoundingClientRect().left, one.clientWidth])"
    )
    assert len(edges) == 10
    assert len({tuple(edge) for edge in edges}) == 1
    page.locator("summary").click()
    # the live table is, after the last frame, what the table of the last tenth says
    page.locator(".at").press("End")
    live, last = page.locator("[data-live] tbody").inner_text(), page.locator("details tbody").last.inner_text()
    assert live == last


@pytest.mark.parametrize("name", ["clip", "case"])
@pytest.mark.parametrize("width", [360, 320])
def test_a_phone_scrolls_the_pictures_and_not_the_page(
    visit: Any, pages: dict[str, Path], name: str, width: int
) -> None:
    page = visit(pages[name], width, dark=True)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth]") == [width] * 2
    score = page.locator(".score").first
    assert score.evaluate("(one) => one.scrollWidth > one.clientWidth")
    page.locator(".at").first.press("End")
    assert score.evaluate("(one) => one.scrollLeft > 0")
    # explanations stay in view when the pictures are scrolled
    assert page.locator(".say").first.bounding_box()["x"] >= 0


def test_the_sound_moves_the_line(visit: Any, pages: dict[str, Path]) -> None:
    page = visit(pages["clip"])
    page.locator(".at").press("Home")
    assert page.locator("audio").evaluate(
        "(one) => new Promise((done) => one.readyState > 0 ? done(one.duration)"
        " : one.addEventListener('loadedmetadata', () => done(one.duration)))"
    ) == pytest.approx(2.07, abs=0.01)
    page.locator(".wave").first.evaluate(
        "(one) => one.closest('.track').dispatchEvent(new MouseEvent('click',"
        " {clientX: one.closest('.track').getBoundingClientRect().left + 10}))"
    )
    assert page.locator("audio").evaluate("(one) => one.currentTime") < 0.1
