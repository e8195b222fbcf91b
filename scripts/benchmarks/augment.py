"""What changing training clips costs, in seconds of audio a CPU second: each step alone, and all of them.

The embedded prompts, joined to clips of about ten seconds as in most training data; reading and log-mel features are
measured in the same run, because they are paid for every clip whether it is changed or not.

    ./scripts/bench augment [--clips 40] [--seconds 10]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from datasets import Audio, Dataset
from transformers import WhisperFeatureExtractor

import hf_asr
from hf_asr.data.audio import RATE, decode
from hf_asr.data.augment import spec_augment
from hf_asr.data.noise import Samples
from hf_asr.recipe.augment import Augment, Noise, Reverb, SpecAugment
from hf_asr.training.batches import Pick
from hf_asr.training.loading import TrainingClips

MOST = 20_000  # audio s / CPU s; a step faster than this is lost in how much reading varies
ALL = {"speed": (0.9, 1.1), "gain_db": (-10.0, 5.0)}
STEPS = {
    "speed": Augment(speed=(0.9, 1.1)),
    "reverb": Augment(reverb=Reverb(share=1)),
    "white noise": Augment(noise=Noise(share=1, kinds=("white",))),
    "pink noise": Augment(noise=Noise(share=1, kinds=("pink",))),
    "babble, reading the other clips": Augment(noise=Noise(share=1, kinds=("babble",))),
    "tilt": Augment(tilt_db=(-3, 3)),
    "telephone": Augment(telephone=1.0),
    "gain": Augment(gain_db=(-10, 5)),
    "all, on every clip": Augment(**ALL, noise=Noise(share=1), reverb=Reverb(share=1), telephone=1.0),
    "all, with the shares of a recipe's defaults": Augment(**ALL, noise=Noise(), reverb=Reverb(), telephone=0.1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = joined(given.clips, given.seconds)
        table = written(clips, Path(folder))
        audio = sum(map(len, clips)) / RATE
        reading = seconds(lambda: [decode(row["audio"]) for row in table])
        print(f"| {len(clips)} clips, {audio:.0f} s of FLAC | audio s / CPU s |\n|---|---|")
        print(f"| reading | {audio / reading:,.0f} |")
        features = WhisperFeatureExtractor()
        mels = seconds(lambda: [features(clip, sampling_rate=RATE, padding="longest") for clip in clips])
        print(f"| log-mel features | {audio / mels:,.0f} |")
        for name, settings in STEPS.items():
            changed = TrainingClips(table, lambda text: [], settings, frames=lambda length: length // 320)
            took = seconds(lambda changed=changed: [changed[Pick(index, 0, 0.0)] for index in range(len(table))])
            print(f"| {name} | {in_words(audio, took - reading)} |", flush=True)
        one = [np.ones((round(len(clip) / 160), 80), np.float32) for clip in clips]
        took = seconds(lambda: [spec_augment(mel, SpecAugment(), np.random.default_rng(0)) for mel in one])
        print(f"| SpecAugment | {audio / took:,.0f} |")


def in_words(audio: float, took: float) -> str:
    return f"{audio / took:,.0f}" if took > audio / MOST else f"over {MOST:,}"


def joined(count: int, long: float) -> list[Samples]:
    files = sorted((Path(hf_asr.__file__).parent / "assets/prompts-en/clips").iterdir())
    clips: list[Samples] = []
    parts: list[Samples] = []
    for file in files * 10:
        if len(clips) == count:
            break
        parts.append(decode({"path": str(file), "bytes": None}))
        if sum(map(len, parts)) >= long * RATE:
            clips.append(np.concatenate(parts))
            parts = []
    return clips


def written(clips: list[Samples], folder: Path) -> Dataset:
    paths = [str(folder / f"{number}.flac") for number in range(len(clips))]
    for path, clip in zip(paths, clips, strict=True):
        soundfile.write(path, clip, RATE)
    rows = {"id": paths, "audio": paths, "text": [""] * len(clips)}
    return Dataset.from_dict(rows).cast_column("audio", Audio(decode=False))


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """CPU seconds, the least of some; the first run, which fills caches, does not count."""
    work()
    found = []
    for _ in range(times):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


if __name__ == "__main__":
    main()
