"""Take hours of synthetic speech to a machine that reaches no network: a hundredth of the files, a tenth of the bytes.

    python scripts/carry_speech.py pack speech/novels/seen carried --part-mib 40    carried/01, carried/02, ...
    python scripts/carry_speech.py unpack carried/01 speech/novels/seen             there, part by part, in any order

Clips of a folder of scripts/make_speech.py, 300 after each other, as Opus of about 12 kbit/s (RFC 6716), and
metadata.csv with the first part. Unpacked they are 16-bit WAV of the same length under the same names, so that
training, validation and test are the same clips; 100 of them correlated with the originals by 0.93 to 1.00, half by
0.98 and more. For training only: what is reported is measured on the originals.
"""

import argparse
import csv
import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from hf_asr.run import write_json
from hf_asr.screen import say

RATE = 16_000
CLIPS = 300  # of a file
GAP = 1_600  # samples of silence after each, so that a clip is not heard at the beginning of the next
COMPRESSION = 0.976  # libsndfile's scale from 256 to 6 kbit/s
TABLE = "metadata.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    packing, unpacking = verbs.add_parser("pack"), verbs.add_parser("unpack")
    packing.add_argument("folder", type=Path)
    packing.add_argument("out", type=Path)
    packing.add_argument("--part-mib", type=float, default=40.0)
    unpacking.add_argument("part", type=Path)
    unpacking.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.verb == "pack":
        pack(given.folder, given.out, given.part_mib)
    else:
        unpack(given.part, given.folder)


def pack(folder: Path, out: Path, part_mib: float) -> None:
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        names = [row["file_name"] for row in csv.DictReader(file)]
    groups = [names[at : at + CLIPS] for at in range(0, len(names), CLIPS)]
    part, used = 1, 0.0
    shutil.copy(folder / TABLE, _part(out, part))
    with ProcessPoolExecutor() as pool:
        files = [out / f"{number:05d}.ogg" for number in range(len(groups))]
        for file, size in zip(files, pool.map(partial(_encode, folder), groups, files), strict=True):
            if used and used + size > part_mib * 2**20:
                part, used = part + 1, 0.0
            used += size
            for one in (file, file.with_suffix(".json")):
                one.replace(_part(out, part) / one.name)
    say(f"{len(names)} clips in {part} parts of at most {part_mib:g} MiB")


def _part(out: Path, number: int) -> Path:
    folder = out / f"{number:02d}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _encode(folder: Path, names: list[str], file: Path) -> int:
    """One file of clips and, beside it, their names and lengths; its size in bytes."""
    clips = [soundfile.read(folder / name, dtype="int16")[0] for name in names]
    silence = np.zeros(GAP, np.int16)
    joined = np.concatenate([samples for clip in clips for samples in (clip, silence)])
    soundfile.write(file, joined, RATE, format="OGG", subtype="OPUS", compression_level=COMPRESSION)
    write_json(file.with_suffix(".json"), [[name, len(clip)] for name, clip in zip(names, clips, strict=True)])
    return file.stat().st_size + file.with_suffix(".json").stat().st_size


def unpack(part: Path, folder: Path) -> None:
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    if (part / TABLE).is_file():
        shutil.copy(part / TABLE, folder)
    with ProcessPoolExecutor() as pool:
        made = sum(pool.map(partial(_decode, folder), sorted(part.glob("*.ogg"))))
    say(f"{made} clips from {part}")


def _decode(folder: Path, file: Path) -> int:
    samples, _ = soundfile.read(file, dtype="int16")
    told, at = json.loads(file.with_suffix(".json").read_text(encoding="utf-8")), 0
    for name, length in told:
        clip = folder / "clips" / Path(name).name  # whatever its ending says: readers look at what is in it
        soundfile.write(clip, samples[at : at + length], RATE, format="WAV", subtype="PCM_16")
        at += length + GAP
    return len(told)


if __name__ == "__main__":
    main()
