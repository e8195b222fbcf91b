"""Where live sound comes from: a recording, the microphone, or what another program writes to our input."""

import importlib
import struct
import sys
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from typing import IO, Any

import numpy as np
import soxr

from hf_asr.data.audio import RATE, AudioError, decode
from hf_asr.data.complete import STREAM
from hf_asr.errors import UserError
from hf_asr.screen import say

MICROPHONE, INPUT = "mic", "-"
OTHERS = (b"OggS", b"fLaC", b"ID3", b"\xff\xfb", b"\xff\xf1", b"\x1aE\xdf\xa3", b"FORM", b"RF64")  # how files begin
INSTEAD = "pipe 16-bit PCM or WAV: ffmpeg -i FILE -f wav - | hf-asr transcribe --stream - --model MODEL"


Sound = Callable[[float], Iterator[np.ndarray]]


def open_sound(source: str) -> Sound:
    """From seconds to pieces of so many, float32 [samples] at 16 kHz, the last one shorter.

    source: `mic`, `-` for what is piped in, or a file. Raises UserError when there is nothing to hear.
    """
    if source == MICROPHONE:
        return partial(_microphone, _sounddevice())
    if source == INPUT:
        if sys.stdin.isatty():
            raise UserError(f"nothing is piped in; {INSTEAD}")
        return partial(piped, sys.stdin.buffer)
    return partial(cut, decode({"path": source, "bytes": None}))


def cut(samples: np.ndarray, seconds: float) -> Iterator[np.ndarray]:
    """Pieces of a recording [samples] at 16 kHz."""
    size = round(seconds * RATE)
    yield from (samples[start : start + size] for start in range(0, len(samples), size))


def piped(stream: IO[bytes], seconds: float) -> Iterator[np.ndarray]:
    """Pieces of a WAV file with 16-bit samples of any rate, or of bare ones: mono, 16 kHz, little-endian.

    Raises AudioError for anything else that can be told from its first bytes.
    """
    head = stream.read(12)
    rate, channels, left, early = RATE, 1, sys.maxsize, head
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        rate, channels, left = _wav_header(stream)
        early = b""
    elif head.startswith(OTHERS) or head[4:8] == b"ftyp":
        raise AudioError(f"this is a file of another kind; {INSTEAD}")
    resampler = soxr.ResampleStream(rate, RATE, 1, dtype="float32")
    size, width = round(seconds * rate) * 2 * channels, 2 * channels
    while left > 0 and (data := early + stream.read(min(size, left) - len(early))):
        early, left = b"", left - len(data)
        whole = data[: len(data) // width * width]  # a stream may be cut off within a sample
        mono = np.frombuffer(whole, "<i2").reshape(-1, channels).mean(axis=1, dtype=np.float32) / 2**15
        yield mono if rate == RATE else resampler.resample_chunk(mono)
    if rate != RATE:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _wav_header(stream: IO[bytes]) -> tuple[int, int, int]:
    """Rate, channels and bytes of the samples that come next. Raises AudioError when they are not 16-bit integers."""
    kind = channels = rate = bits = 0
    while len(header := stream.read(8)) == 8:
        name, size = header[:4], struct.unpack("<I", header[4:])[0]
        if name == b"data" and bits:
            if kind not in (1, 0xFFFE) or bits != 16 or not channels or not rate:
                raise AudioError(f"its samples are not 16-bit integers; {INSTEAD}")
            return rate, channels, size if 0 < size < STREAM else sys.maxsize  # sox and ffmpeg leave it open
        body = stream.read(size + size % 2)
        if name == b"fmt " and len(body) >= 16:
            kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    raise AudioError(f"its WAV header says nothing of samples; {INSTEAD}")


def _sounddevice() -> Any:
    """The sounddevice package. Raises UserError when it or the library under it is missing."""
    try:
        return importlib.import_module("sounddevice")
    except ImportError:
        raise UserError('the microphone needs sounddevice: pip install "hf-asr[mic]"') from None
    except OSError:
        raise UserError("sounddevice finds no PortAudio: apt install libportaudio2") from None


def _microphone(sounddevice: Any, seconds: float) -> Iterator[np.ndarray]:
    """Until it is interrupted."""
    heard = SimpleQueue[np.ndarray]()
    size = round(seconds * RATE)
    form = {"samplerate": RATE, "channels": 1, "dtype": "float32", "blocksize": size}
    try:
        with sounddevice.InputStream(**form, callback=lambda data, *_: heard.put(data[:, 0].copy())):
            say("listening; Ctrl-C ends")
            while True:
                yield heard.get()
    except sounddevice.PortAudioError as error:
        raise UserError(f"the microphone cannot be opened: {error}; or pipe it in, e.g. from arecord") from None
