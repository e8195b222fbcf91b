"""The page in a real browser, with nothing but this computer to ask."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from hf_asr import recipe, run
from hf_asr.data.audio import RATE, decode
from hf_asr.decoding.transcribe import transcribe_recording
from hf_asr.models import checkpoints
from tests import small
from tests.app import build

pytestmark = pytest.mark.slow

PATIENCE = 240_000  # ms, for a reading on a computer that is busy
CLIP = build.CLIPS / "en-conf-adminmenu-18.ogg"  # 21 s of speech
SHORT = build.CLIPS / "en-vm-goodbye.ogg"
FLAGS = [
    *("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-quic", "--no-first-run", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
]


@dataclass(frozen=True)
class Server:
    address: str
    run: Path
    whisper: bool

    def expected(self, clip: Path) -> str:
        """What `hf-asr transcribe` says."""
        recogniser = checkpoints.from_folder(str(self.run / run.MODEL), recipe.Whisper(), "en")
        return transcribe_recording(recogniser, decode({"path": str(clip), "bytes": None})).text


@pytest.fixture(scope="module")
def server(saved: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`hf-asr demo` on a run of whisper-tiny.en where it is at hand, else of a tiny wav2vec2."""
    pytest.importorskip("gradio", reason="the page needs gradio: pip install hf-asr[demo]")
    whisper = Path(os.environ.get("HF_ASR_ASSETS", ""), "whisper-tiny.en")
    real = bool(os.environ.get("HF_ASR_ASSETS")) and (whisper / "config.json").is_file()
    work = tmp_path_factory.mktemp("served")
    folder = build.folder(work / "run", whisper.resolve() if real else saved(4), str(saved(5)), saved(6))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (work / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "hf_asr", "demo", str(folder), "--port", str(port)],
            cwd=small.ROOT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TMPDIR": str(work)},
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{port}/"
            wait_for(address, process, work / "log")
            yield Server(address, folder, real)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    assert list(work.glob("hf-asr-demo-*")) == [], "recordings were left behind"
    assert "Traceback" not in (work / "log").read_text()


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.5)
    raise AssertionError(log.read_text())


@dataclass
class Visit:
    page: Any
    problems: list[str]
    asked: list[str]

    def text(self, place: str) -> str:
        return str(self.page.locator(place).inner_text())

    def wait(self, place: str) -> str:
        self.page.wait_for_selector(place, timeout=PATIENCE)
        return self.text(place)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium, whose microphone hears CLIP over and over."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser test needs playwright")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        pytest.skip("the browser test needs Chromium")
    heard = tmp_path_factory.mktemp("microphone") / "heard.wav"
    samples = soxr.resample(decode({"path": str(CLIP), "bytes": None}), RATE, 48_000)
    soundfile.write(heard, samples, 48_000, subtype="PCM_16")
    with playwright.sync_playwright() as tool:
        started = tool.chromium.launch(
            executable_path=chromium, args=[*FLAGS, f"--use-file-for-fake-audio-capture={heard}"]
        )
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any, server: Server, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """The page, opened; whatever the test did, no error of ours and no question to another computer."""
    width, height, scheme = getattr(request, "param", (1280, 900, "light"))
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, permissions=["microphone"]
    )
    found = Visit(context.new_page(), [], [])
    found.page.on("console", lambda m: found.problems.append(m.text) if m.type == "error" else None)
    found.page.on("pageerror", lambda error: found.problems.append(str(error)))
    found.page.on("dialog", lambda dialog: found.problems.append(f"dialog: {dialog.message}"))
    found.page.on("request", lambda question: found.asked.append(question.url))
    found.page.goto(server.address)
    found.wait("#heard .asr-cards")
    yield found
    context.close()
    assert found.problems == []
    assert [url for url in found.asked if not url.startswith((server.address, "blob:", "data:"))] == []


def card(name: str) -> str:
    return f'#heard [data-system="{name}"] .asr-text'


def test_an_uploaded_clip_is_read_as_transcribe_reads_it(visit: Visit, server: Server) -> None:
    assert visit.page.title() == "prompts"
    assert "2.4 %" in visit.text(".asr-scores")
    visit.page.set_input_files("#clip input[type=file]", CLIP)
    visit.wait(card("baseline"))
    assert " ".join(visit.text(card("fine-tuned")).split()) == server.expected(CLIP)
    words = visit.page.locator(card("fine-tuned") + " .asr-word")
    assert words.count() == len(server.expected(CLIP).split())
    numbers = [int(words.nth(at).get_attribute("data-percent") or "") for at in range(words.count())]
    assert all(0 <= number <= 100 for number in numbers)
    visit.page.click('#heard [data-system="fine-tuned"] summary')
    cells = visit.page.locator('#heard [data-system="fine-tuned"] td:nth-child(3)').all_inner_texts()
    ends = [float(cell) for cell in cells]
    assert ends == sorted(ends)
    assert 15 < ends[-1] <= soundfile.info(CLIP).duration + 0.02


@pytest.mark.parametrize("visit", [(390, 844, "dark")], indirect=True)
def test_a_phone_shows_it_all(visit: Visit) -> None:
    visit.page.set_input_files("#clip input[type=file]", SHORT)
    visit.wait(card("baseline"))
    edges = (
        "[...document.querySelectorAll('.asr-card, .asr-word, .asr-head *')].map(e => e.getBoundingClientRect().right)"
    )
    assert max(visit.page.evaluate(edges)) <= 390
    for tab in ("A clip", "Live", "Many files"):
        visit.page.click(f'button[role=tab]:has-text("{tab}")')
        visit.page.wait_for_timeout(500)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390, tab
    visit.page.click('button[role=tab]:has-text("Live")')
    button = visit.page.locator("#live button").bounding_box()
    assert button["height"] >= 40  # a finger's width
    assert button["x"] + button["width"] <= 390


def test_a_recording_of_the_microphone_is_read(visit: Visit, server: Server) -> None:
    visit.page.click('#clip [aria-label="Record audio"]')
    visit.page.click("#clip .record-button")
    visit.page.wait_for_timeout(5000)
    visit.page.click("#clip .stop-button")
    visit.wait(card("baseline"))
    text = visit.text(card("fine-tuned"))
    assert text
    if server.whisper:
        assert "press" in text.lower()


def test_the_microphone_is_read_live(visit: Visit, server: Server) -> None:
    visit.page.click('button[role=tab]:has-text("Live")')
    visit.page.click("#live button")
    visit.wait("#live .asr-late")
    visit.page.wait_for_timeout(6000)
    assert 0 < float(visit.text("#live .asr-late")) < PATIENCE / 1000
    visit.page.click("#live button")
    whole = visit.wait("#live .asr-whole .asr-text")
    assert visit.text("#live button") == "Record"
    live = visit.text("#live .asr-live .asr-text")
    assert whole
    assert live
    if server.whisper:
        assert "press" in whole.lower()
        assert "press" in live.lower()


def test_many_files_and_bad_ones(visit: Visit, server: Server, tmp_path: Path) -> None:
    evil = tmp_path / "<img src=x onerror=alert(1)>${alert(2)}{{alert(3)}}.wav"
    evil.write_bytes(b"no sound")
    visit.page.click('button[role=tab]:has-text("Many files")')
    visit.page.set_input_files("#files input[type=file]", [SHORT, evil, build.CLIPS / "en-hello-world.ogg"])
    visit.page.wait_for_function(
        "document.querySelector('#table')?.innerText.includes('3 of 3 files, 1 could not')", timeout=PATIENCE
    )
    assert visit.page.locator("#table img").count() == 0
    with visit.page.expect_download() as download:
        visit.page.click("text=Download JSONL")
    rows = [json.loads(line) for line in Path(download.value.path()).read_text(encoding="utf-8").splitlines()]
    assert rows[0] == {
        "file": SHORT.name,
        "seconds": round(soundfile.info(SHORT).duration, 3),
        "fine-tuned": server.expected(SHORT),
    }
    assert "not a recording" in rows[1]["error"]
    assert rows[2]["fine-tuned"] == server.expected(build.CLIPS / "en-hello-world.ogg")


def test_a_folder_may_be_given(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    shutil.copyfile(SHORT, tmp_path / "one.ogg")
    shutil.copyfile(SHORT, tmp_path / "inner" / "two.ogg")
    visit.page.click('button[role=tab]:has-text("Many files")')
    with visit.page.expect_file_chooser() as chooser:
        visit.page.click("#folder")
    chooser.value.set_files(tmp_path)
    visit.page.wait_for_function("document.querySelector('#table')?.innerText.includes('2 of 2')", timeout=PATIENCE)
    assert {"one.ogg", "two.ogg"} <= set(visit.text("#table").split())


def test_the_page_outlives_a_bad_file_and_no_microphone(visit: Visit, server: Server, tmp_path: Path) -> None:
    (tmp_path / "page.wav").write_bytes(b"<html>no sound</html>")
    visit.page.set_input_files("#clip input[type=file]", tmp_path / "page.wav")
    assert "page.wav is not a recording that can be read" in visit.wait("#heard [role=alert]")
    visit.page.reload()
    visit.wait("#heard .asr-cards")
    visit.page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('no')) }")
    visit.page.click('button[role=tab]:has-text("Live")')
    visit.page.click("#live button")
    assert "No microphone" in visit.wait("#live [role=alert]")
    visit.page.click('button[role=tab]:has-text("A clip")')
    visit.page.set_input_files("#clip input[type=file]", SHORT)
    visit.wait(card("baseline"))
    assert " ".join(visit.text(card("fine-tuned")).split()) == server.expected(SHORT)
    visit.problems[:] = [text for text in visit.problems if "Waveform load error" not in text]  # the player's


def get(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_no_file_of_the_server_is_given_out(server: Server) -> None:
    inside = [server.run / run.RESULTS, server.run / run.MODEL / "config.json", small.ROOT / "pyproject.toml"]
    for path in [*inside, Path("/etc/passwd"), Path(np.__file__)]:
        assert path.exists()
        assert get(f"{server.address}gradio_api/file={path}") in {403, 404}, path
    with urllib.request.urlopen(f"{server.address}config", timeout=30) as answer:
        config = answer.read().decode()
    assert not any(str(path) in config for path in (server.run.parent, small.ROOT, Path.home()))
    assert 'analytics_enabled":false' in config.replace(" ", "")
