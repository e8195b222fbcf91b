"""Text as the sound arrives: no frame lost, doubled or moved; what is exact is exact; times known beforehand."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from hf_asr import recipe
from hf_asr.data.audio import AudioError, decode
from hf_asr.decoding import live, local_agreement, sound
from hf_asr.decoding.ctc import frame_logits, read_path
from hf_asr.decoding.decoder import Decoder, Weights, finder
from hf_asr.decoding.ears import RATE, Context, Windows, frame_stride
from hf_asr.decoding.fit import estimate
from hf_asr.decoding.streaming import CTCStream, Heard
from hf_asr.decoding.transcribe import transcribe_recording
from hf_asr.errors import UserError
from hf_asr.models import checkpoints
from hf_asr.models.head import with_head, written_for
from hf_asr.models.recogniser import Recogniser, frame_counter
from tests import small
from tests.app import build

STRIDE = 320
CLIP = small.ROOT / "hf_asr" / "assets" / "prompts-en" / "clips" / "en-vm-goodbye.ogg"


class Speller(torch.nn.Module):
    """A network that hears a stream by itself: a frame is 320 samples, and their value is its unit."""

    main_input_name = "input_values"

    def __init__(self, units: int) -> None:
        super().__init__()
        self.config = SimpleNamespace(vocab_size=units, streaming=True)

    def _get_feat_extract_output_lengths(self, samples: int) -> int:
        return samples // STRIDE

    def stream(self, _: Any) -> "Speller":
        found = Speller(self.config.vocab_size)
        found.rest = np.zeros(0, np.float32)
        return found

    def push(self, samples: np.ndarray) -> torch.Tensor:
        self.rest = np.concatenate([self.rest, samples])
        count = len(self.rest) // STRIDE
        units, self.rest = self.rest[: count * STRIDE : STRIDE], self.rest[count * STRIDE :]
        return 12 * torch.nn.functional.one_hot(torch.tensor(units, dtype=torch.long), self.config.vocab_size).float()

    def finish(self) -> torch.Tensor:
        return self.push(np.zeros(0, np.float32))


@pytest.fixture(scope="module")
def random() -> Recogniser:
    found = build.ctc(kind="layer")
    found.model.eval()
    return found


@pytest.fixture(scope="module")
def speller(random: Recogniser) -> Recogniser:
    return replace(random, model=Speller(int(random.model.config.vocab_size)))


@pytest.fixture(scope="module")
def micro() -> Recogniser:
    return checkpoints.from_folder("embedded:micro", recipe.Whisper(), "en")


def units(recogniser: Recogniser, text: str) -> list[int]:
    """A letter a frame; . is the blank, | divides words."""
    tokenizer = recogniser.processor.tokenizer
    return [tokenizer.pad_token_id if letter == "." else tokenizer.convert_tokens_to_ids(letter) for letter in text]


def spoken(recogniser: Recogniser, text: str) -> np.ndarray:
    return np.repeat(np.array(units(recogniser, text), np.float32), STRIDE)


def cuts(samples: np.ndarray, seed: int, most: int) -> Iterator[np.ndarray]:
    """In pieces of random lengths, some of them empty."""
    draw, at = np.random.default_rng(seed), 0
    while at < len(samples):
        size = int(draw.integers(0, most))
        yield samples[at : at + size]
        at += size


def heard(stream: Any, pieces: Iterator[np.ndarray]) -> list[Heard]:
    return [*map(stream.push, pieces), stream.finish()]


def frames(ear: Any, pieces: Iterator[np.ndarray]) -> torch.Tensor:
    return torch.cat([*map(ear.push, pieces), ear.finish()])


# --- frames


def near_sighted() -> Recogniser:
    """A network whose frames hear 8 frames to each side and no further, and nothing of the clip's loudness."""
    found = build.ctc(kind="layer")
    found.model.wav2vec2.encoder.layers = torch.nn.ModuleList()
    found.processor.feature_extractor.do_normalize = False
    found.model.eval()
    return found


@pytest.mark.parametrize("most", [2_000, 5_000, 12_000])
def test_with_all_that_a_frame_hears_as_context_windows_are_exact(most: int) -> None:
    recogniser = near_sighted()
    samples = np.random.default_rng(most).normal(size=2 * RATE + 77).astype(np.float32)
    (whole,) = frame_logits(recogniser, [samples])
    found = frames(Windows(recogniser, Context(left=0.2, right=0.2)), cuts(samples, most, most))
    torch.testing.assert_close(found, whole, rtol=1e-3, atol=1e-3)
    blind = frames(Windows(recogniser, Context(left=0.2, right=0.0)), cuts(samples, most, most))
    assert blind.shape == whole.shape
    assert (blind - whole).abs().max() > 0.1, "the test would see it"


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.03, 0.06, 0.3, 1.0, 2.345])
def test_there_are_as_many_frames_as_offline(random: Recogniser, micro: Recogniser, seconds: float) -> None:
    samples = np.random.default_rng(0).normal(size=round(seconds * RATE)).astype(np.float32)
    for recogniser in (random, micro):
        counter = frame_counter(recogniser)
        assert counter is not None
        for context in (Context(0, 0), Context(0.5, 0.2), Context(1.0, 5.0)):
            found = frames(Windows(recogniser, context), cuts(samples, 1, 9_000))
            assert len(found) == max(counter(len(samples)), 0)


def test_context_over_the_whole_clip_is_offline(micro: Recogniser) -> None:
    samples = decode({"path": str(CLIP), "bytes": None})
    (whole,) = frame_logits(micro, [samples])
    found = frames(Windows(micro, Context(60, 60)), sound.cut(samples, 0.3))
    torch.testing.assert_close(found, whole)
    ahead = Windows(micro, Context(60, 60))
    for piece in sound.cut(samples, 0.3):
        ahead.push(piece)
    torch.testing.assert_close(ahead.ahead, whole)


def test_much_at_once_is_heard_in_parts(random: Recogniser) -> None:
    ear, longest = Windows(random, Context(1.0, 1.0)), 0

    def watch(_: Any, given: Any) -> None:
        nonlocal longest
        longest = max(longest, given[0].shape[-1])

    handle = random.model.register_forward_pre_hook(watch)
    ear.push(np.zeros(50 * RATE, np.float32))
    handle.remove()
    assert longest <= 22.1 * RATE


def test_stride(random: Recogniser, micro: Recogniser) -> None:
    assert (frame_stride(random), frame_stride(micro)) == (320, 480)


def test_deepspeech2_is_exact() -> None:
    pytest.importorskip("hf_asr.models.deepspeech2")
    torch.manual_seed(1)
    shape = {"model_type": "deepspeech2", "streaming": True, "hidden_size": 32, "num_hidden_layers": 2}
    bare = checkpoints.load(recipe.Model(from_scratch=shape), recipe.Whisper(), "en")
    recogniser = with_head(bare, written_for(bare, ["the quick brown fox"], recipe.Units()))
    recogniser.model.eval()
    recogniser.model.lm_head.weight.data *= 50
    samples = decode({"path": str(CLIP), "bytes": None})
    (whole,) = frame_logits(recogniser, [samples])
    stream = CTCStream(recogniser)
    found = frames(stream.ear, cuts(samples, 3, 8_000))
    torch.testing.assert_close(found, whole, rtol=1e-3, atol=1e-3)
    lines = [line for one in heard(CTCStream(recogniser), cuts(samples, 4, 8_000)) for line in one.lines]
    offline = transcribe_recording(recogniser, samples).text
    assert offline
    assert " ".join(line.text for line in lines).split() == offline.split()


# --- words and lines


def test_words_stay_when_a_space_comes(speller: Recogniser) -> None:
    stream = CTCStream(speller)
    told = [stream.push(spoken(speller, part)) for part in (".co", "o", ".ok|", "w", "or", "|.un")]
    assert [(one.settled, one.open) for one in told] == [
        ((), ("co",)),
        ((), ("co",)),
        (("cook",), ()),
        (("cook",), ("w",)),
        (("cook",), ("wor",)),
        (("cook", "wor"), ("un",)),
    ]
    ((line,),) = [stream.finish().lines]
    assert line.text == "cook wor un"
    assert [(word.start, word.end) for word in line.words] == [
        pytest.approx(times) for times in ((0.02, 0.14), (0.16, 0.22), (0.26, 0.30))
    ]


def test_a_line_ends_at_a_pause(speller: Recogniser) -> None:
    text = "." * 60 + "th|c" + "." * 39 + "k|" + "." * 38 + "|" + "e" + "." * 200 + "f"
    found = heard(CTCStream(speller), iter([spoken(speller, text)]))
    lines = [line for one in found for line in one.lines]
    assert [line.text for line in lines] == ["th ck", "e", "f"]  # 39 frames are no pause, 40 are
    assert lines[1].words[0].start == pytest.approx((60 + 4 + 39 + 2 + 39) * 0.02)


def test_a_line_has_the_silence_before_it(speller: Recogniser) -> None:
    """Which may hold letters that a beam search finds."""
    stream = CTCStream(speller)
    stream.push(spoken(speller, "." * 60 + "t"))
    assert (stream.begun, stream.line.path) == (60 - 15, units(speller, "." * 15 + "t"))


@pytest.mark.parametrize("seed", range(5))
def test_pieces_change_nothing(speller: Recogniser, seed: int) -> None:
    draw = np.random.default_rng(seed)
    path = draw.choice(units(speller, "..................th||c"), 3_000)
    path[499], path[500:700] = units(speller, "|.")
    samples = np.repeat(path.astype(np.float32), STRIDE)
    whole = [line for one in heard(CTCStream(speller), iter([samples])) for line in one.lines]
    found = heard(CTCStream(speller), cuts(samples, seed, 40_000))
    lines = [line for one in found for line in one.lines]
    assert [line.text for line in lines] == [line.text for line in whole]
    for line, same in zip(lines, whole, strict=True):
        assert [word.start for word in line.words] == pytest.approx([word.start for word in same.words])
    offline = read_path(speller, torch.tensor(path), 0.02)
    assert " ".join(line.text for line in whole).split() == offline.text.split()
    assert [word.text for line in whole for word in line.words] == [word.text for word in offline.words]
    for word, same in zip((word for line in whole for word in line.words), offline.words, strict=True):
        assert (word.start, word.end) == pytest.approx((same.start, same.end))


def test_a_long_line_ends_at_a_space(speller: Recogniser) -> None:
    samples = spoken(speller, "t.h|" * 1_000)  # 80 s
    lines = [line for one in heard(CTCStream(speller), sound.cut(samples, 0.5)) for line in one.lines]
    assert len(lines) == 3
    assert " ".join(line.text for line in lines) == " ".join(["th"] * 1_000)


def test_settled_words_stay(micro: Recogniser) -> None:
    samples = np.concatenate([decode({"path": str(CLIP), "bytes": None})] * 2)
    stream, before = CTCStream(micro, context=Context(2.0, 0.3)), ()
    for piece in sound.cut(samples, 0.3):
        now = stream.push(piece)
        assert now.lines or now.settled[: len(before)] == before
        before = now.settled
    assert stream.heard > 0


def test_a_beam_search_settles_what_it_agrees_on(speller: Recogniser) -> None:
    lm = estimate(["the quick fox", "the quick brow"] * 3, 2).model
    decoder = Decoder(lm, Weights(alpha=0.5, beta=0.5, beam=20))
    text = ".the|quick|fo.x" + "." * 50 + "the|brow"
    told = heard(CTCStream(speller, decoder), sound.cut(spoken(speller, text), 0.08))
    before: tuple[str, ...] = ()
    for one in told:
        assert one.lines or one.settled[: len(before)] == before
        before = one.settled
    assert ("the", "quick") in [one.settled for one in told]
    lines = [line for one in told for line in one.lines]
    assert [line.text for line in lines] == ["the quick fox", "the brow"]
    assert lines[0].words[1].start == pytest.approx(5 * 0.02)
    assert lines[1].words[0].start == pytest.approx(65 * 0.02)
    assert ("the", "qui") not in [one.settled for one in told], "a word that may still grow"
    logits = CTCStream(speller).ear.push(spoken(speller, text[:40]))
    assert finder(speller, decoder)(logits.log_softmax(-1).numpy(), 1)[0].text == lines[0].text


# --- the clock


def test_latency_is_that_of_the_clock_of_the_sound(speller: Recogniser) -> None:
    """Reading takes 0.1 s of a made-up clock, pieces are 0.2 s."""
    ticks = iter(np.arange(0, 1_000, 0.1).tolist())
    session = live.Session(CTCStream(speller), clock=lambda: next(ticks))
    lines: list[live.Line] = []
    # 10 frames a piece:     0.2 s        0.4 s        0.6 s        then 0.8 s of blanks
    samples = spoken(
        speller,
        "th|......." + "..........",
    )
    samples = np.concatenate([samples, spoken(speller, "c...." + "." * 45)])
    live.follow(session, sound.cut(samples, 0.2), lines.append, lambda _: None)
    (line,) = lines
    th, c = line.words
    assert (th.text, th.end, th.shown, th.settled) == ("th", 0.04, pytest.approx(0.3), pytest.approx(0.3))
    assert (c.text, c.end, c.shown) == ("c", pytest.approx(0.42), pytest.approx(0.7))
    assert c.settled == line.told == pytest.approx(1.5)  # 40 blanks after it are over at 1.22 s, the piece at 1.4
    assert session.heard == pytest.approx(1.4)
    assert session.busy == pytest.approx(0.8)
    row = json.loads(live.written(line, "json"))
    assert (row["start"], row["end"], row["text"], row["latency"]) == (0.0, 0.42, "th c", pytest.approx(1.08))
    assert "real-time factor 0.57" in live.figures(session)
    assert "shown after 0.27 s (median)" in live.figures(session)


def test_what_comes_while_another_is_read_waits(speller: Recogniser) -> None:
    ticks = iter(np.arange(0, 1_000, 0.5).tolist())
    session = live.Session(CTCStream(speller), clock=lambda: next(ticks))
    for _ in range(3):
        session.push(np.zeros(3_200, np.float32))
    assert session.now == pytest.approx(0.2 + 3 * 0.5)


def test_a_slow_machine_reads_more_at_once(speller: Recogniser) -> None:
    ticks, sizes = iter(np.arange(0, 1_000, 0.5).tolist()), []
    stream = CTCStream(speller)
    push = stream.push
    stream.push = lambda samples: (sizes.append(len(samples)), push(samples))[1]  # type: ignore[method-assign]
    session = live.Session(stream, clock=lambda: next(ticks))
    live.follow(session, sound.cut(np.zeros(4 * RATE, np.float32), 0.2), lambda _: None, lambda _: None)
    assert sizes[:3] == [3_200, 9_600, 9_600]  # read at 0.2 to 0.7 s, at 0.8 to 1.3 s, at 1.4 to 1.9 s
    assert sum(sizes) == 4 * RATE


def test_interrupted_is_ended(speller: Recogniser) -> None:
    def pieces() -> Iterator[np.ndarray]:
        yield spoken(speller, "th|ck")
        raise KeyboardInterrupt

    lines: list[live.Line] = []
    session = live.Session(CTCStream(speller))
    live.follow(session, pieces(), lines.append, lambda _: None)
    assert [line.text for line in lines] == ["th ck"]


@pytest.mark.parametrize("seconds", [0, 0.01, 0.3, 3.0])
def test_silence_says_nothing(micro: Recogniser, seconds: float) -> None:
    session = live.Session(CTCStream(micro))
    live.follow(session, sound.cut(np.zeros(round(seconds * RATE), np.float32), 0.6), pytest.fail, lambda _: None)
    assert live.figures(session).endswith("no words" if seconds else "no sound")


# --- where sound comes from


def wav(samples: np.ndarray, rate: int, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def test_bare_samples_are_mono_at_16_khz() -> None:
    numbers = np.array([0, 16_384, -32_768, 1] * 1_000, "<i2")
    found = list(sound.piped(io.BytesIO(numbers.tobytes() + b"\x01"), 0.1))  # and half a sample
    assert [len(piece) for piece in found] == [1_600, 1_600, 800]
    np.testing.assert_array_equal(np.concatenate(found), np.tile([0, 0.5, -1, 1 / 32_768], 1_000).astype(np.float32))


@pytest.mark.parametrize("size", [None, 0, 0xFFFF_FFFF])
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (8_000, 2), (44_100, 1)])
def test_a_wav_stream(rate: int, channels: int, size: int | None) -> None:
    time = np.arange(2 * rate) / rate
    tone = np.sin(2 * np.pi * 440 * time) / 2
    data = bytearray(wav(np.repeat(tone[:, None], channels, 1), rate))
    at = data.index(b"data") + 4
    if size is None:
        data += b"LIST\x04\x00\x00\x00abcd"  # what comes after the samples is none
    else:
        data[at : at + 4] = size.to_bytes(4, "little")  # as a program writes that does not know yet
    found = np.concatenate(list(sound.piped(io.BytesIO(bytes(data)), 0.3)))
    assert len(found) == pytest.approx(2 * RATE, abs=2)
    wanted = np.sin(2 * np.pi * 440 * np.arange(len(found)) / RATE) / 2
    assert np.abs(found - wanted)[200:-200].max() < 0.01


@pytest.mark.parametrize(
    "data",
    [CLIP.read_bytes(), wav(np.zeros(9), 16_000, "FLOAT"), wav(np.zeros(9), 16_000)[:20], b"ID3\x04" + bytes(99)],
)
def test_what_is_no_pcm_is_told(data: bytes) -> None:
    with pytest.raises(AudioError, match="ffmpeg"):
        list(sound.piped(io.BytesIO(data), 1.0))


def test_nothing_piped_in_is_no_sound() -> None:
    assert [len(piece) for piece in sound.piped(io.BytesIO(b""), 1.0)] == []


def test_a_file_of_any_rate_is_heard_as_offline(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", np.sin(np.arange(24_000)), 8_000)
    found = np.concatenate(list(sound.open_sound(str(tmp_path / "tone.wav"))(0.7)))
    np.testing.assert_array_equal(found, decode({"path": str(tmp_path / "tone.wav"), "bytes": None}))
    with pytest.raises(AudioError):
        sound.open_sound(__file__)


def test_the_microphone_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(UserError, match=r"hf-asr\[mic\]"):
        sound.open_sound("mic")


def test_the_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        PortAudioError = OSError

        class InputStream:
            def __init__(self, callback: Any, blocksize: int, **form: Any) -> None:
                assert (form, blocksize) == ({"samplerate": 16_000, "channels": 1, "dtype": "float32"}, 3_200)
                for number in (1, 2):
                    callback(np.full((blocksize, 1), number, np.float32), blocksize, None, None)

            def __enter__(self) -> None: ...

            def __exit__(self, *_: object) -> None: ...

    monkeypatch.setitem(sys.modules, "sounddevice", Device)
    pieces = sound.open_sound("mic")(0.2)
    assert [float(next(pieces).mean()) for _ in range(2)] == [1.0, 2.0]
    monkeypatch.setattr(Device, "InputStream", lambda **_: (_ for _ in ()).throw(OSError("no device")))
    with pytest.raises(UserError, match="no device"):
        next(sound.open_sound("mic")(0.2))


# --- the command


def test_lines_and_figures_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    live.transcribe_live(str(CLIP), "embedded:micro", "json", None, None, None, 0.3, lines.append)
    assert all(json.loads(line)["text"] for line in lines)
    assert "real-time factor" in capsys.readouterr().err


def test_a_pipe_that_closes_and_one_that_is_cut_off(tmp_path: Path) -> None:
    samples = np.concatenate([decode({"path": str(CLIP), "bytes": None}), np.zeros(3 * RATE, np.float32)] * 2)
    (tmp_path / "pcm").write_bytes((samples * 32_767).astype("<i2").tobytes()[:-1])
    command = f"{sys.executable} -m hf_asr transcribe --stream - --model embedded:micro < {tmp_path}/pcm"
    done = small.hf_asr("-c", f"import subprocess; subprocess.run({command + ' | head -n 1'!r}, shell=True)")
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("more", [["--format", "srt"], ["another.wav"]])
def test_what_a_stream_cannot_be(more: list[str]) -> None:
    done = small.hf_asr("-m", "hf_asr", "transcribe", "--stream", str(CLIP), "--model", "embedded:micro", *more)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --stream takes one file")


# --- Whisper


def test_whisper_is_not_asked_about_silence(micro: Recogniser) -> None:
    stream = local_agreement.WhisperStream(micro)  # would fail: CTC has no generate()
    noise = np.random.default_rng(0).normal(size=20 * RATE).astype(np.float32) * 5e-4
    told = heard(stream, sound.cut(noise, 2.0))
    assert told == [Heard(())] * 11
    assert len(stream.window) < RATE


def test_a_window_is_cut_where_it_is_quietest() -> None:
    samples = np.random.default_rng(0).normal(size=10 * RATE)
    samples[2 * RATE : 3 * RATE] = 0  # in the first half: passed over
    samples[7 * RATE : round(7.3 * RATE)] *= 0.01
    assert 7 * RATE <= local_agreement.quietest(samples) <= 7.3 * RATE


@pytest.mark.slow
def test_whisper_agrees_with_one_reading_and_ends_lines(whisper_checkpoint: Path) -> None:
    recogniser = checkpoints.from_folder(str(whisper_checkpoint), recipe.Whisper(), "en")
    clip = decode({"path": str(CLIP), "bytes": None})
    samples = np.concatenate([clip, np.zeros(2 * RATE, np.float32), clip])
    told = heard(local_agreement.WhisperStream(recogniser), sound.cut(samples, 1.0))
    lines = [line for one in told for line in one.lines]
    reference = transcribe_recording(recogniser, clip).text
    assert [line.text for line in lines] == [reference, reference]
    assert lines[1].words[0].start > len(clip) / RATE + 1.5


@pytest.mark.slow
def test_whisper_closes_as_many_windows_as_come_at_once(whisper_checkpoint: Path) -> None:
    recogniser = checkpoints.from_folder(str(whisper_checkpoint), recipe.Whisper(), "en")
    # different ones: over one clip many times Whisper begins to loop
    clips = [decode({"path": str(path), "bytes": None}) for path in sorted(CLIP.parent.glob("*.ogg"))[:60]]
    samples = np.concatenate(clips)[: 40 * RATE]
    stream = local_agreement.WhisperStream(recogniser)
    told = stream.push(samples)
    assert len(told.lines) >= 2
    assert len(stream.window) <= local_agreement.WINDOW_SECONDS * RATE
    assert all(line.words[-1].end - line.words[0].start <= local_agreement.WINDOW_SECONDS for line in told.lines)
    lines = [*told.lines, *stream.finish().lines]
    asked = len(transcribe_recording(recogniser, samples).text.split())
    assert abs(sum(len(line.text.split()) for line in lines) - asked) <= 0.2 * asked  # words at a cut
