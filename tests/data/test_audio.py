import builtins
import io
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from functools import cache as cache_results

import numpy as np
import pytest
import soundfile

from hf_asr.data import durations as durations_module
from hf_asr.data.audio import RATE, AudioError, decode, probe
from hf_asr.data.durations import content_key, durations, measure

# kind, subtype, how far the length may be off (s): lossy codecs have a delay
FORMATS = [
    ("WAV", "PCM_16", 0),
    ("WAV", "FLOAT", 0),
    ("RF64", "PCM_16", 0),
    ("FLAC", "PCM_16", 0),
    ("OGG", "VORBIS", 0),
    ("OGG", "OPUS", 0),
    ("MP3", None, 0.06),
]


def tone(seconds=1.0, rate=RATE, channels=1):
    """440 Hz at half amplitude [samples, channels]."""
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def stored(kind="WAV", subtype="PCM_16", **what):
    rate = what.get("rate", RATE)
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(**what), rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def of(data, path=None):
    return {"bytes": data, "path": path}


@pytest.mark.parametrize(("kind", "subtype", "off"), FORMATS)
def test_each_format_has_its_length_and_its_sound(kind, subtype, off):
    data = stored(kind, subtype, seconds=1.5)
    samples = decode(of(data))
    assert samples.dtype == np.float32 and samples.ndim == 1
    assert probe(of(data)) == pytest.approx(1.5, abs=off or 1e-9)
    assert len(samples) == pytest.approx(1.5 * RATE, abs=off * RATE)
    assert np.sqrt(np.mean(samples[2000:-4000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), abs=0.03)


def test_telephone_gsm_in_a_wav_is_read(tmp_path):
    """libsndfile cannot seek in it, and soundfile then wants to be told how much to read."""
    soundfile.write(tmp_path / "a.wav", tone(rate=8000), 8000, subtype="GSM610")
    samples = decode({"path": str(tmp_path / "a.wav"), "bytes": None})
    assert len(samples) / RATE == pytest.approx(probe({"path": str(tmp_path / "a.wav"), "bytes": None}))
    assert np.sqrt(np.mean(samples[2000:-4000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), abs=0.05)


def test_the_name_of_a_file_says_nothing(tmp_path):
    (tmp_path / "a.raw").write_bytes(stored())
    assert len(decode({"path": str(tmp_path / "a.raw"), "bytes": None})) == RATE
    (tmp_path / "b.raw").write_bytes(tone().tobytes())
    for use in (decode, probe):
        with pytest.raises(AudioError, match=r"b\.raw"):
            use({"path": str(tmp_path / "b.raw"), "bytes": None})


def test_a_header_that_ends_within_a_chunk_is_told():
    with pytest.raises(AudioError):
        probe(of(stored("RF64")[:30]))


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_other_rates_are_resampled_to_the_length_probe_foretells(rate):
    data = stored(seconds=1.2345, rate=rate)
    samples = decode(of(data))
    assert len(samples) == round(probe(of(data)) * RATE)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * RATE / len(samples) == pytest.approx(440, abs=1)


def test_channels_are_averaged(tmp_path):
    left_only = tone(channels=2)
    left_only[:, 1] = 0
    soundfile.write(tmp_path / "stereo.wav", left_only, RATE)
    samples = decode({"path": str(tmp_path / "stereo.wav"), "bytes": None})
    np.testing.assert_allclose(samples, left_only[:, 0] / 2, atol=1e-4)


def test_bytes_win_over_the_path_hub_parquet_gives():
    assert len(decode(of(stored(seconds=0.5), path="not/here.wav"))) == RATE // 2


@pytest.mark.parametrize(("kind", "subtype", "off"), FORMATS)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_recording_cut_short_is_found(kind, subtype, off, share):
    data = stored(kind, subtype, seconds=3)
    with pytest.raises(AudioError, match=r"truncated|malformed"):
        probe(of(data[: int(len(data) * share)], "cut.bin"))


def test_a_flac_that_lacks_only_its_last_frame_is_found():
    data = stored("FLAC", seconds=3)
    with pytest.raises(AudioError, match=r"cut.flac is truncated: its header promises 3.00 s"):
        probe(of(data[:-200], "cut.flac"))


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_written_to_a_pipe_is_whole(size):
    data = bytearray(stored(seconds=2))
    struct.pack_into("<I", data, 4, size)
    struct.pack_into("<I", data, data.find(b"data") + 4, size)
    assert probe(of(bytes(data))) == 2
    assert len(decode(of(bytes(data)))) == 2 * RATE


def test_a_wav_with_chunks_around_its_samples_is_whole():
    data = bytearray(stored(seconds=1)) + b"LIST" + struct.pack("<I", 5) + b"hello\0"
    struct.pack_into("<I", data, 4, len(data) - 8)
    assert probe(of(bytes(data))) == 1


def test_a_flac_without_a_length_in_its_header_is_counted():
    data = bytearray(stored("FLAC", seconds=1.25))
    data[21] &= 0xF0  # the 36 bits of total samples in STREAMINFO
    data[22:26] = bytes(4)
    assert probe(of(bytes(data))) == 1.25
    assert len(decode(of(bytes(data)))) == 1.25 * RATE


def test_a_wav_without_samples_lasts_no_time():
    assert probe(of(stored(seconds=0))) == 0


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (of(b""), "is empty"),
        (of(b"no sound at all", "notes.wav"), "notes.wav is not a recording"),
        (of(None), "no recording"),
        (of(None, "/nowhere/a.wav"), "a.wav cannot be opened: No such file"),
        (of(None, "/"), "cannot be opened"),
        (of(b"RIFF"), "not a recording"),
    ],
)
def test_what_cannot_be_read_says_why(audio, message):
    for use in (probe, decode):
        with pytest.raises(AudioError, match=message):
            use(audio)


def test_m4a_without_pyav_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without_av(name, *args, **kwargs):
        if name == "av":
            raise ImportError
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_av)
    with pytest.raises(AudioError, match=r'a\.m4a needs PyAV.*pip install "hf-asr\[av\]"'):
        probe(of(b"\0\0\0\x20ftypM4A " + bytes(100), "a.m4a"))


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("webm", "libopus")])
def test_m4a_and_webm_are_read_through_pyav(container, codec):
    av = pytest.importorskip("av", reason="the extra hf-asr[av] is not installed")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(2, 48_000).T, format="flt", layout="mono")
        frame.sample_rate = 48_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    data = buffer.getvalue()
    assert probe(of(data)) == pytest.approx(2, abs=0.06)
    samples = decode(of(data))
    assert len(samples) == pytest.approx(2 * RATE, abs=0.06 * RATE)
    assert np.sqrt(np.mean(samples[2000:-4000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), abs=0.03)
    with pytest.raises(AudioError):
        decode(of(data[:60]))


def test_no_torchcodec_torchaudio_or_ffmpeg_is_imported():
    program = (
        "import sys, hf_asr.data.clips, hf_asr.data.check; print({'torchcodec', 'torchaudio', 'av'} & {*sys.modules})"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "set()\n"


# durations


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ASR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "durations.sqlite"


@pytest.fixture
def probed(monkeypatch):
    """How often a header was read."""
    calls = []
    monkeypatch.setattr(durations_module, "probe", lambda audio: calls.append(1) or probe(audio))
    return calls


def rows_in(cache):
    with closing(sqlite3.connect(cache)) as connection:
        return connection.execute("SELECT count(*) FROM durations_1").fetchone()[0]


@cache_results
def some(count=5):  # an Ogg stream's serial number is random
    return [of(stored("OGG", "VORBIS", seconds=0.2 + number / 10)) for number in range(count)]


def test_durations_are_in_order_and_errors_in_their_place(cache):
    given = [of(stored(seconds=1 + number % 7)) for number in range(300)]
    given[123] = of(b"broken")
    found = durations(iter(given))
    assert isinstance(found[123], AudioError)
    assert [one for one in found if not isinstance(one, AudioError)] == [
        1 + number % 7 for number in range(300) if number != 123
    ]


def test_the_second_time_ogg_comes_from_the_cache_and_wav_needs_none(cache, probed):
    first = durations(some())
    assert len(probed) == 5 and cache.is_file()
    assert durations(some()) == first and len(probed) == 5
    durations([of(stored())] * 3)
    assert len(probed) == 8
    assert rows_in(cache) == 5


@pytest.mark.parametrize("spoil", ["garbage", "schema", "values", "folder"])
def test_a_broken_cache_only_costs_time(cache, spoil):
    expected = durations(some())
    if spoil == "garbage":
        cache.write_bytes(b"not a database at all" * 500)
    elif spoil == "folder":
        cache.unlink()
        cache.mkdir()
    else:
        with closing(sqlite3.connect(cache)) as connection, connection:
            if spoil == "schema":
                connection.execute("DROP TABLE durations_1")
                connection.execute("CREATE TABLE durations_1 (other TEXT)")
            else:
                connection.execute("UPDATE durations_1 SET seconds = 'long'")
    assert durations(some()) == expected
    assert durations(some()) == expected


def test_a_cache_that_cannot_be_written_is_done_without(monkeypatch):
    monkeypatch.setenv("HF_ASR_CACHE", "/proc/no/such/place")
    assert durations(some(2)) == [pytest.approx(0.2), pytest.approx(0.3)]


def test_processes_share_the_cache(cache, tmp_path):
    for number in range(40):
        (tmp_path / f"{number}.ogg").write_bytes(stored("OGG", "VORBIS", seconds=0.1 + number / 100))
    program = f"""
from pathlib import Path
from hf_asr.data.durations import durations
files = sorted(Path({str(tmp_path)!r}).glob("*.ogg"))
for _ in range(3):
    found = durations([{{"path": str(file), "bytes": None}} for file in files])
print(found)
"""
    running = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(3)]
    answers = {process.communicate()[0] for process in running}
    assert len(answers) == 1 and [process.returncode for process in running] == [0, 0, 0]
    assert rows_in(cache) == 40


def test_the_content_key_is_of_content_not_of_place(tmp_path):
    data = stored("FLAC", seconds=4)
    (tmp_path / "a.flac").write_bytes(data)
    assert content_key(of(None, str(tmp_path / "a.flac"))) == content_key(of(data, "elsewhere.flac"))
    assert content_key(of(data[:-1] + b"x")) != content_key(of(data))
    assert content_key(of(None, str(tmp_path / "none.wav"))) == ""


def test_recordings_are_taken_as_needed(cache):
    taken = []
    endless = (taken.append(number) or of(stored()) for number in range(10_000))
    next(measure(endless))
    assert len(taken) <= durations_module.BATCH


def test_nothing_is_drawn_when_stderr_is_no_terminal(cache, capfd):
    durations(some(2))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_told(tmp_path, wrong):
    samples = tone()
    samples[100] = wrong
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a\.wav holds samples that are no numbers"):
        decode({"path": str(tmp_path / "a.wav"), "bytes": None})
