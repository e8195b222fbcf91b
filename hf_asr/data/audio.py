"""Sound from stored bytes or a file: decoding, and length from the header.

soundfile and soxr do the work; what soundfile cannot read (m4a, webm, mp4, ...) goes through PyAV
when it is installed. No ffmpeg program, no torchcodec, no torchaudio. How cut-off files are told: complete.
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from hf_asr.data.complete import require_complete, stream_size_zero
from hf_asr.errors import UserError

RATE = 16_000  # Hz; what every wav2vec2 and Whisper checkpoint expects
UNKNOWN_LENGTH = 1 << 62  # samples; libsndfile counts more for a FLAC written to a pipe, without a length
BLOCK = 1 << 16  # samples read at once when the length is unknown or libsndfile cannot seek (GSM in WAV)
UNRECOGNISED = 1  # libsndfile: "Format not recognised"


class AudioError(UserError):
    """A recording that cannot be used, in words that say what to do."""


def decode(audio: Mapping[str, Any], rate: int = RATE) -> npt.NDArray[np.float32]:
    """Mono float32 samples [samples] at `rate` Hz from {"path", "bytes"}; bytes win when present.

    Raises AudioError.
    """
    with _open(audio) as file:
        try:
            with soundfile.SoundFile(file) as sound:
                samples, given = _samples(sound), sound.samplerate
        except soundfile.LibsndfileError as error:
            file.seek(0)
            samples, given = _decode_with_av(file, audio, error)
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    if given != rate:
        mono = soxr.resample(mono, given, rate)  # HQ; gives round(samples * rate / given)
    if not np.isfinite(mono).all():  # one such sample makes every weight of the network NaN
        raise AudioError(f"{_name(audio)} holds samples that are no numbers (NaN or infinite): write it anew")
    return np.ascontiguousarray(mono, dtype=np.float32)


def probe(audio: Mapping[str, Any]) -> float:
    """Seconds, from the header. Raises AudioError for unreadable files and for those cut short."""
    with _open(audio) as file:
        try:
            with soundfile.SoundFile(file) as sound:
                frames, rate, kind = sound.frames, sound.samplerate, sound.format
                if kind == "FLAC":
                    frames = _flac_frames(sound, audio)
        except soundfile.LibsndfileError as error:
            file.seek(0)
            return _probe_with_av(file, audio, error)
        try:
            require_complete(file, kind)
        except ValueError as error:
            raise AudioError(f"{_name(audio)} is truncated: {error}") from None
    return float(frames / rate)


def _samples(sound: soundfile.SoundFile) -> npt.NDArray[np.float32]:
    """All of it [samples, channels]."""
    if sound.frames < UNKNOWN_LENGTH and sound.seekable():
        return np.asarray(sound.read(dtype="float32", always_2d=True), dtype=np.float32)
    return np.concatenate([np.zeros((0, sound.channels), np.float32), *_blocks(sound)])


def _blocks(sound: soundfile.SoundFile) -> Iterator[npt.NDArray[np.float32]]:
    sound.seekable = lambda: False  # soundfile seeks after each read, which fails without a length
    while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
        yield block


def _flac_frames(sound: soundfile.SoundFile, audio: Mapping[str, Any]) -> int:
    """Length in samples, once its last frame has been read (0.03 ms more than the header alone)."""
    if sound.frames > UNKNOWN_LENGTH:
        return sum(map(len, _blocks(sound)))  # hours of silence are a small file: not all at once
    try:
        sound.seek(max(sound.frames - 1, 0))
        read = len(sound.read(1))
    except soundfile.LibsndfileError:
        read = 0
    if sound.frames and not read:
        raise AudioError(f"{_name(audio)} is truncated: its header promises {sound.frames / sound.samplerate:.2f} s")
    return int(sound.frames)


def open_audio(audio: Mapping[str, Any]) -> IO[bytes]:
    """The recording as a binary file; bytes win when present. Raises OSError, ValueError."""
    data = audio.get("bytes")
    if data is not None:
        return io.BytesIO(data)
    file = io.FileIO(str(audio.get("path")))
    vars(file)["name"] = file.fileno()  # soundfile would go by a name's ending, and ask for the rate of a `.raw`
    return io.BufferedReader(file)


def _open(audio: Mapping[str, Any]) -> IO[bytes]:
    """open_audio with what libsndfile needs mended. Raises AudioError when there is nothing to read."""
    if audio.get("bytes") is None and not audio.get("path"):
        raise AudioError("no recording: neither bytes nor a path")
    try:
        file = open_audio(audio)
    except (OSError, ValueError) as error:
        raise AudioError(f"{_name(audio)} cannot be opened: {getattr(error, 'strerror', None) or error}") from None
    if not file.read(1):
        file.close()
        raise AudioError(f"{_name(audio)} is empty (0 bytes)")
    mended = stream_size_zero(file)  # a stream's size of 0 reads as no samples in libsndfile
    file.seek(0)
    if mended is None:
        return file
    file.close()
    return io.BytesIO(mended)


def _name(audio: Mapping[str, Any]) -> str:
    return Path(str(audio["path"])).name if audio.get("path") else "a recording"


def _av(file: IO[bytes], audio: Mapping[str, Any], error: soundfile.LibsndfileError) -> Any:
    """The av package, for what looks like a container it reads. Raises AudioError otherwise."""
    head = file.read(12)
    file.seek(0)
    container = head[4:8] == b"ftyp" or head[:4] in (b"\x1aE\xdf\xa3", b"FORM", b"0&\xb2u") or head[:2] == b"\xff\xf1"
    if not container or error.code != UNRECOGNISED:
        raise AudioError(f"{_name(audio)} is not a recording that can be read: {error.error_string}") from None
    try:
        import av
    except ImportError:
        raise AudioError(f'{_name(audio)} needs PyAV (m4a, webm, mp4, ...): pip install "hf-asr[av]"') from None
    return av


def _decode_with_av(
    file: IO[bytes], audio: Mapping[str, Any], error: soundfile.LibsndfileError
) -> tuple[npt.NDArray[np.float32], int]:
    """Samples [samples, 1] and their rate."""
    av = _av(file, audio, error)
    try:
        with av.open(file) as container:
            stream = container.streams.audio[0]
            given = int(stream.rate)
            to_mono = av.AudioResampler(format="flt", layout="mono", rate=given)
            frames = [frame for packet in container.decode(stream) for frame in to_mono.resample(packet)]
            frames += to_mono.resample(None)
            parts = [frame.to_ndarray()[0] for frame in frames]
    except (av.error.FFmpegError, IndexError) as problem:
        raise AudioError(f"{_name(audio)} cannot be decoded: {problem}") from None
    if not parts:
        raise AudioError(f"{_name(audio)} has no sound in it")
    return np.concatenate(parts).astype(np.float32)[:, None], given


def _probe_with_av(file: IO[bytes], audio: Mapping[str, Any], error: soundfile.LibsndfileError) -> float:
    """Seconds by the container's header; a stream without one (webm from a browser) is decoded."""
    av = _av(file, audio, error)
    try:
        with av.open(file) as container:
            stream = container.streams.audio[0]
            if stream.duration is not None:
                return float(stream.duration * stream.time_base)
            if container.duration is not None:
                return float(container.duration / av.time_base)
    except (av.error.FFmpegError, IndexError) as problem:
        raise AudioError(f"{_name(audio)} cannot be read: {problem}") from None
    file.seek(0)
    samples, given = _decode_with_av(file, audio, error)
    return len(samples) / given
