"""Is the whole recording there? libsndfile silently shortens what was cut off; the containers know better."""

import os
import struct
from typing import IO

HEAD = 65_536  # bytes looked at; an Ogg page is at most 65,307
STREAM = 0x7FFF_0000  # WAV sizes from here on mean "not known when the header was written" (sox, ffmpeg)


def require_complete(file: IO[bytes], kind: str) -> None:
    """Raises ValueError saying what is missing. `kind` is soundfile's name of the format."""
    size = file.seek(0, os.SEEK_END)
    if kind in ("WAV", "WAVEX", "RF64"):
        at, promised = wav_data(file)
        if promised and at + promised > size and (promised < STREAM or kind == "RF64"):
            raise ValueError(f"its header promises {promised} bytes of sound, {max(size - at, 0)} are there")
    elif kind == "OGG":
        _ogg_ends(file, size)
    elif kind in ("MP3", "MPEG"):
        _mp3_ends(file, size)


def wav_data(file: IO[bytes]) -> tuple[int, int]:
    """Where a WAV's samples begin and how many bytes its header says they have; (0, 0) if it says nothing."""
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return 0, 0
    wide = 0
    while len(header := file.read(8)) == 8:
        name, size = header[:4], struct.unpack("<I", header[4:])[0]
        if name == b"data":
            at = file.tell()
            return at, wide if head[:4] == b"RF64" and size == 0xFFFF_FFFF else size
        if name == b"ds64":  # RF64 keeps its 64-bit sizes here: RIFF size, data size, ...
            wide = int.from_bytes(file.read(16)[8:], "little")
            size -= 16
        file.seek(size + size % 2, os.SEEK_CUR)
    return 0, 0


def stream_size_zero(file: IO[bytes]) -> bytes | None:
    """A WAV whose size was never filled in (0, then samples all the same), with the size filled in."""
    at, promised = wav_data(file)
    if not at or promised:
        return None
    file.seek(0)
    whole = bytearray(file.read())
    if len(whole) <= at or len(whole) - at >= STREAM:
        return None
    struct.pack_into("<I", whole, at - 4, len(whole) - at)
    struct.pack_into("<I", whole, 4, len(whole) - 8)
    return bytes(whole)


def _ogg_ends(file: IO[bytes], size: int) -> None:
    """Raises ValueError when the last page is not all there."""
    start = max(size - 2 * HEAD, 0)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        raise ValueError("no page begins in its last 128 KB")
    page = tail[at:]
    segments = page[26] if len(page) > 26 else 0
    length = 27 + segments + sum(page[27 : 27 + segments])
    if len(page) < 27 or len(page) < length:
        raise ValueError(f"its last page has {len(page)} of {length} bytes")


def _mp3_ends(file: IO[bytes], size: int) -> None:
    """Raises ValueError when a Xing/Info header promises over 1 % more bytes than there are."""
    file.seek(0)
    head = file.read(HEAD)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0 or len(head) < at + 16:
        return
    flags, _, promised = struct.unpack(">III", head[at + 4 : at + 16])
    if flags & 3 == 3 and flags < 16 and promised * 0.99 > size:  # frames and bytes are both given
        raise ValueError(f"its header promises {promised} bytes, {size} are there")
