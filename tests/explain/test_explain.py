"""Every step that is shown is the step that is taken: against answers known by construction, and against transcribe."""

import base64
import itertools
import json
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hf_asr import recipe
from hf_asr.data.audio import RATE, AudioError, decode
from hf_asr.decoding import decoder as decoders
from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.ctc import log_posteriors
from hf_asr.decoding.kneser_ney import estimate
from hf_asr.decoding.ngram import log10_probability
from hf_asr.decoding.transcribe import transcribe_recording
from hf_asr.explain import ice_cream, pictures
from hf_asr.explain import page as explain_page
from hf_asr.explain import text as explain_text
from hf_asr.explain.search import FUSED, Search, log_p, plain, search
from hf_asr.explain.steps import Explained, explain, hear, kept, listen, runs, top
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import CheckpointError, Recogniser
from hf_asr.text.pronunciation import Pronunciations
from tests import small
from tests.app import build
from tests.decoding import spelling

LETTERS = Alphabet((None, " ", "a", "b"), blank=0, delimiter=1)
CLIP = build.CLIPS / "en-conf-extended.ogg"
PAIR = np.log(np.array([[0.6, 1e-30, 0.4, 1e-30]] * 2))  # blank .6, a .4, in both frames: see docs/decoding.md


@pytest.fixture(scope="module")
def micro() -> Recogniser:
    return checkpoints.from_folder("embedded:micro", recipe.Whisper(), None)


@pytest.fixture(scope="module")
def lm_folder(micro: Recogniser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    model = estimate(["the conference has ended", "the conference is long", "it has been extended"], order=2).model
    decoders.save(decoders.Decoder(model, decoders.Weights(alpha=0.9, beta=2.0, hotwords=("been",))), micro, folder)
    return folder


@pytest.fixture(scope="module")
def found() -> Explained:
    return explain(CLIP, "embedded:micro")


def growth(search_: Search) -> list[dict[str, float]]:
    return [{explain_text.spelled(one, search_): one.score for one in frame} for frame in search_.growth]


def island(html: str) -> dict[str, object]:
    (text,) = re.findall(r'<script type="application/json" class="island">(.*?)</script>', html)
    return dict(json.loads(text))


def test_repeats_are_merged_and_blanks_dropped() -> None:
    path = (0, 2, 2, 0, 2, 1, 1, 3, 0, 0)
    frames = np.log(np.full((10, 4), 0.1))
    frames[1, 2], frames[2, 2] = np.log(0.4), np.log(0.6)
    found = runs(path, frames)
    edges = [(0, 0, 1), (2, 1, 3), (0, 3, 4), (2, 4, 5), (1, 5, 7), (3, 7, 8), (0, 8, 10)]
    assert [(run.unit, run.start, run.end) for run in found] == edges
    assert found[1].posterior == pytest.approx(0.5)
    assert [run.unit for run in kept(found, blank=0)] == [2, 2, 1, 3]  # a a | b: the blank between keeps both


def test_the_best_units_of_a_frame_come_first() -> None:
    assert top(np.log(np.array([[0.1, 0.2, 0.5, 0.2]])), 3)[0] == [
        (2, pytest.approx(0.5)),
        (1, pytest.approx(0.2)),
        (3, pytest.approx(0.2)),
    ]


def test_the_probability_of_a_path_s_text_is_the_sum_over_all_its_paths() -> None:
    frames = np.log(np.random.default_rng(1).dirichlet(np.ones(4), size=4))
    for path in ((2, 0, 2, 3), (0, 2, 1, 3), (0, 0, 0, 0), (2, 2, 2, 2)):
        merged = [unit for unit, _ in itertools.groupby(path) if unit]
        same = (
            sum(frames[at, unit] for at, unit in enumerate(one))
            for one in itertools.product(range(4), repeat=4)
            if [unit for unit, _ in itertools.groupby(one) if unit] == merged
        )
        assert log_p(frames, path, LETTERS) == pytest.approx(float(np.logaddexp.reduce(list(same))))


def test_the_beam_grows_as_on_paper() -> None:
    """0.6 blank, 0.4 a, twice: nothing is 0.36, a is 0.16 + 0.24 + 0.24."""
    found = search(PAIR, LETTERS, plain(LETTERS), (0, 0), "")
    first, second = ({text: math.exp(score) for text, score in step.items()} for step in growth(found))
    assert {text: round(p, 9) for text, p in first.items() if p > 1e-9} == {"–": 0.6, "a": 0.4}
    assert {text: round(p, 9) for text, p in second.items() if p > 1e-9} == {"a": 0.64, "–": 0.36}
    assert [(one.way, one.text, round(math.exp(one.score), 9)) for one in found.readings] == [
        ("greedy", "", 0.36),
        ("beam", "a", 0.64),
    ]


def test_ice_cream_by_the_numbers_of_its_model() -> None:
    """Every part of the sums, taken from the language model and the sound alone."""
    lm = ice_cream.model()
    eat, night = (ice_cream.case(lm, before) for before in ice_cream.BEFORE)
    assert eat.search is not None
    assert night.search is not None
    assert [one.text for one in eat.search.readings] == ["we eat i scream"] * 2 + ["we eat ice cream"]
    assert [one.text for one in night.search.readings] == ["at night i scream"] * 3
    assert night.search.changes == ()
    change, rest = eat.search.changes
    scream, cream = log10_probability(lm, ["we eat i scream", "we eat ice cream"]) * math.log(10)
    assert (change.before, change.after, rest.before, rest.after) == ("i scream", "ice cream", "", "")
    # p(ice | we eat) p(cream | eat ice) against p(i | we eat) p(scream | eat i), and the end after each
    state = lm.step(lm.step(np.array([lm.start]), ["we"])[1], ["eat"])[1]
    (ice, after_ice), (i, after_i) = (lm.step(state, [word]) for word in ("ice", "i"))
    words = ice + lm.step(after_ice, ["cream"])[0] - i - lm.step(after_i, ["scream"])[0]
    assert change.log_p == pytest.approx(float(words[0]) * math.log(10))
    assert change.gain + rest.gain == pytest.approx(0.8 * (cream - scream))
    for reading in eat.search.best:
        assert reading.lm == pytest.approx(0.8 * math.log(10) * float(log10_probability(lm, [reading.text])[0]))
        assert reading.words == len(reading.text.split())
    assert [one.score for one in eat.search.best] == sorted((one.score for one in eat.search.best), reverse=True)
    # the last column of docs/decoding.md
    assert [round(one.score, 2) for one in eat.search.best[:2]] == [-6.07, -6.93]


def test_beginnings_are_the_sum_of_their_parts() -> None:
    found = ice_cream.case(ice_cream.model(), "we eat ").search
    assert found is not None
    assert len(found.growth) == 17
    for frame in found.growth:
        assert [one.score for one in frame] == sorted((one.score for one in frame), reverse=True)
        for one in frame:
            assert one.score == pytest.approx(one.acoustic + one.lm + one.words + one.hope)
            assert one.words == found.alphabet.text((*one.units, 2)).count(" ")


def test_the_page_and_the_terminal_have_the_text_that_transcribe_prints(found: Explained) -> None:
    printed = small.hf_asr("-m", "hf_asr", "transcribe", str(CLIP), "--model", "embedded:micro").stdout.strip()
    assert found.heard is not None
    assert found.heard.text == printed
    assert f"“{printed}”" in explain_text.text(found)
    assert f'<q dir="auto">{printed}</q>' in explain_page.page(found)


def test_the_numbers_of_the_page_are_those_of_the_network_and_the_search(found: Explained, micro: Recogniser) -> None:
    data = island(explain_page.page(found))
    samples = decode({"path": str(CLIP), "bytes": None})
    (frames,) = log_posteriors(micro, [samples])
    best = frames.exp().topk(3)
    shown = np.array([[percent for _, percent in frame] for frame in data["best"]])  # type: ignore[attr-defined]
    assert shown == pytest.approx(100 * best.values.numpy(), abs=0.051)
    assert found.heard is not None
    assert found.heard.search is not None
    last, nodes = data["beam"][-1][0], data["nodes"]  # type: ignore[index]
    node, spelled = last[0], ""
    while node:
        node, letters = nodes[node][0], nodes[node][1]
        spelled = letters + spelled
    assert spelled.strip() == found.heard.search.readings[1].text
    assert last[1] == pytest.approx(found.heard.search.growth[-1][0].acoustic, abs=0.005)
    assert len(data["beam"]) == len(frames)  # type: ignore[arg-type]


def test_letters_lie_where_the_words_of_transcribe_lie(found: Explained, micro: Recogniser) -> None:
    expected = transcribe_recording(micro, decode({"path": str(CLIP), "bytes": None}), times=True)
    assert found.heard is not None
    assert found.heard.words == expected.words


def test_the_search_with_a_language_model_is_that_of_transcribe(lm_folder: Path, micro: Recogniser) -> None:
    samples = decode({"path": str(CLIP), "bytes": None})
    decoder = decoders.load(lm_folder)
    expected = decoders.finder(micro, decoder)(log_posteriors(micro, [samples])[0].numpy(), 1)[0]
    explained = explain(CLIP, "embedded:micro", lm_folder)
    assert explained.heard is not None
    assert explained.heard.search is not None
    reading = explained.heard.search.readings[-1]
    assert (reading.way, reading.text) == (FUSED, expected.text)
    assert reading.acoustic == pytest.approx(expected.acoustic)
    assert reading.score == pytest.approx(expected.score)
    told = explain_text.text(explained)
    assert f"{expected.score:.2f}   {expected.text}" in told
    assert "alpha" in told


@pytest.mark.parametrize("kind", ["letters", "pieces"])
def test_any_units_and_any_sound_make_a_page(kind: str) -> None:
    recogniser = build.ctc(units=recipe.Units() if kind == "letters" else recipe.Units(kind="subword", size=20))
    samples = np.random.default_rng(2).normal(size=RATE).astype(np.float32)
    heard = hear(recogniser, samples, None)
    html = explain_page.page(Explained(listen(CLIP), "made here", heard))
    assert len(island(html)["best"]) == len(heard.path)  # type: ignore[arg-type]
    assert transcribe_recording(recogniser, samples).text == heard.text


def test_phonemes_are_read_as_words() -> None:
    """Two words that are said alike: only the model knows which."""
    said = Pronunciations({"over": (("o", "v"),), "there": (("dh", "e"),), "their": (("dh", "e"),)})
    recogniser = spelling.recogniser([], said=said)
    samples = spelling.say(recogniser, "over there")
    lm = decoders.Decoder(estimate(["over there", "their over"], order=2).model, decoders.Weights(alpha=1, beta=0))
    heard = hear(recogniser, samples, lm)
    assert heard.search is not None
    assert heard.text == transcribe_recording(recogniser, samples).text
    assert heard.search.readings[-1].text == "over there" == transcribe_recording(recogniser, samples, decoder=lm).text
    assert "over there" in explain_page.page(Explained(listen(CLIP), "made here", heard))


def test_only_the_first_half_minute_is_taken_and_it_is_told(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(size=31 * RATE).astype(np.float32) / 10
    soundfile.write(tmp_path / "long.wav", samples, RATE)
    clip = listen(tmp_path / "long.wav")
    assert (clip.seconds, clip.whole) == (30, 31)
    told = explain_text.text(Explained(clip, "made here", hear(build.ctc(), clip.samples, None)))
    assert "Only the first 30 s of 31.0 s" in told
    assert max(map(len, told.splitlines())) <= 100


def test_the_docs_quote_the_case() -> None:
    quoted = (small.ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    quoted = quoted[quoted.index("<!-- case -->") : quoted.rindex("<!-- end -->")]
    lines = [line for line in quoted.splitlines() if line.startswith("   ")]
    told = explain_text.demonstration().splitlines()
    assert len(lines) == 10
    assert [line for line in lines if line not in told] == []


def test_lines_fit_a_terminal(found: Explained) -> None:
    for told in (explain_text.text(found), explain_text.demonstration()):
        assert max(map(len, told.splitlines())) <= 100


def test_names_are_text_on_the_page(tmp_path: Path, found: Explained) -> None:
    clip = tmp_path / "<b>&amp;.wav"
    soundfile.write(clip, np.zeros(RATE), RATE)
    html = explain_page.page(Explained(listen(clip), "<i>", found.heard))
    assert "<b>&amp;.wav" not in html
    assert "&lt;b&gt;&amp;amp;.wav" in html
    assert "<i>," not in html


def test_a_picture_has_the_pixels_it_was_given() -> None:
    address = pictures.sure(np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]), blank=1)
    data = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    parts, at = {}, 8
    while at < len(data):
        (size,), name = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        parts[name] = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(name + parts[name])
        at += 12 + size
    assert struct.unpack(">II", parts[b"IHDR"][:8]) == (2, 3)
    pixels = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(3, 3)[:, 1:]
    opacity = np.frombuffer(parts[b"tRNS"], np.uint8)
    assert opacity[pixels].tolist() == [[0, 255], [255, 0], [0, 0]]
    colours = np.frombuffer(parts[b"PLTE"], np.uint8).reshape(-1, 3)
    assert tuple(colours[pixels[0, 1]]) != tuple(colours[pixels[1, 0]])  # blank is told apart


def test_a_tone_is_bright_where_it_sounds() -> None:
    """1 kHz is bin 32 of 512 at 16 kHz; it begins after half a second."""
    time = np.arange(RATE) / RATE
    tone = np.where(time >= 0.5, np.sin(2 * np.pi * 1000 * time), 0).astype(np.float32)
    level = pictures.powers(tone)
    assert level.shape == (257, 100)
    assert (level.max(), level.min()) == (0, pictures.FLOOR)
    assert set(level[:, 52:99].argmax(axis=0)) == {32}
    assert level[:, :49].max() == pictures.FLOOR


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.wav", "--model", "embedded:micro"], "missing.wav cannot be opened"),
        (["README.md", "--model", "embedded:micro"], "README.md"),
        (["README.md"], "which model?"),
        (["--model", "embedded:micro"], "which clip?"),
        ([str(CLIP), "--model", "embedded:micro", "--lm", "docs"], "no decoder.json in docs"),
        ([str(CLIP), "--model", "embedded:micro", "--output", "a.png"], "a.html"),
    ],
)
def test_what_cannot_be_is_told(arguments: list[str], said: str) -> None:
    done = small.hf_asr("-m", "hf_asr", "explain", *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_without_a_head_is_told(tmp_path: Path) -> None:
    headless = build.ctc()
    headless.model.wav2vec2.save_pretrained(tmp_path)
    headless.processor.feature_extractor.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="no trained CTC head"):
        explain(CLIP, str(tmp_path))


def test_no_sound_at_all_is_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), RATE)
    with pytest.raises(AudioError, match="no sound"):
        explain(tmp_path / "none.wav", "embedded:micro")
    soundfile.write(tmp_path / "short.wav", np.zeros(20), RATE)
    with pytest.raises(AudioError, match="too short"):
        explain(tmp_path / "short.wav", "embedded:micro")


@pytest.mark.slow
def test_whisper_shows_what_it_wrote(whisper_checkpoint: Path, lm_folder: Path) -> None:
    found = explain(CLIP, str(whisper_checkpoint))
    assert found.written is not None
    recogniser = checkpoints.from_folder(str(whisper_checkpoint), recipe.Whisper(), None)
    samples = decode({"path": str(CLIP), "bytes": None})
    assert found.written.text == transcribe_recording(recogniser, samples).text
    assert "".join(token.text for token in found.written.tokens).strip() == found.written.text
    for token in found.written.tokens:
        # greedy: what was written is the most probable, unless its settings forbid that
        assert token.best[0] == (token.text, token.posterior)
        assert 0 <= token.start <= token.end <= len(samples) / RATE + 0.02
    assert found.written.fit.shape == (len(found.written.tokens), round(len(samples) / RATE * 50))
    assert found.written.mel.shape == (80, round(len(samples) / RATE * 100))
    html = explain_page.page(found)
    assert f'<q dir="auto">{found.written.text}</q>' in html
    assert found.written.text in explain_text.text(found)
    with pytest.raises(CheckpointError, match="Whisper has one inside"):
        explain(CLIP, str(whisper_checkpoint), lm_folder)
