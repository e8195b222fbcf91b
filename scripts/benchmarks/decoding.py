"""The language model against lmplz, and the beam search against others, measured.

    ./scripts/bench decoding ngram TEXT [--order 3] [--lmplz PROGRAM]
    ./scripts/bench decoding search MODEL RECIPE [--clips 570]

ngram: one sentence a line; the last tenth is held out for perplexity. Every number is compared with that of KenLM's
lmplz where its program is named, and scores with the kenlm package where that is installed.
search: MODEL is a model folder with a decoder.json, its test side that of RECIPE. Word errors and speed by beam width
and by the least probability of a unit; pyctcdecode and flashlight-text on the same frames where they are installed.
"""

import argparse
import importlib.util
import math
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from hf_asr import recipe
from hf_asr.data.audio import decode
from hf_asr.data.clips import load_clips
from hf_asr.decoding import arpa, decoder
from hf_asr.decoding.ctc import log_posteriors, read_path
from hf_asr.decoding.kneser_ney import estimate
from hf_asr.decoding.ngram import NGram, log10_probability, perplexity
from hf_asr.evaluation.metrics import score
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import Recogniser
from hf_asr.recipe import file as recipe_file
from hf_asr.text.normalise import normalise

Result = TypeVar("Result")
Read = Callable[[np.ndarray], str]  # log probabilities [frames, units] → text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    part = parts.add_parser("ngram")
    part.add_argument("text", type=Path)
    part.add_argument("--order", type=int, default=3)
    part.add_argument("--lmplz")
    part.set_defaults(run=lambda given: ngram(given.text, given.order, given.lmplz))
    part = parts.add_parser("search")
    part.add_argument("model", type=Path)
    part.add_argument("recipe")
    part.add_argument("--clips", type=int, default=10_000)
    part.set_defaults(run=lambda given: search(given.model, given.recipe, given.clips))
    given = parser.parse_args()
    given.run(given)


def ngram(path: Path, order: int, lmplz: str | None) -> None:
    texts = path.read_text(encoding="utf-8").split("\n")
    tenth = len(texts) // 10
    texts, held_out = texts[:-tenth], texts[-tenth:]
    found, took = timed(lambda: estimate(texts, order))
    model = found.model
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(
        f"{found.tokens:,} words, n-grams {' + '.join(f'{n:,}' for n in model.counts)}; discounts of {found.fallback}"
    )
    print(f"estimate: {took:.2f} CPU s; peak of the whole process {peak:,.0f} MiB")
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "ours.arpa"), Path(folder, "theirs.arpa")
        print(f"write: {timed(lambda: arpa.write(model, ours))[1]:.2f} CPU s, {ours.stat().st_size:,} bytes")
        print(f"read: {timed(lambda: arpa.read(ours))[1]:.2f} CPU s")
        value, took = timed(lambda: perplexity(model, held_out))
        words = sum(len(text.split()) + 1 for text in held_out)
        print(f"perplexity of {words:,} held-out words: {value:.4f}, {words / took:,.0f} words a CPU s")
        if importlib.util.find_spec("kenlm"):
            with_kenlm(ours, held_out, value, log10_probability(model, held_out))
        if lmplz:
            text = "".join(f"{line}\n" for line in texts)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            with theirs.open("w") as out:
                command = [lmplz, "-o", str(order), "--discount_fallback", "-T", folder, "-S", "1G"]
                subprocess.run(command, input=text.encode(), stdout=out, stderr=subprocess.DEVNULL, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            print(f"lmplz: {after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.2f} CPU s")
            differences(arpa.read(ours), arpa.read(theirs), held_out)


def with_kenlm(path: Path, held_out: Sequence[str], value: float, ours: np.ndarray) -> None:
    import kenlm

    model = kenlm.Model(str(path))
    scores, took = timed(lambda: np.array([model.score(text) for text in held_out]))
    words = sum(len(text.split()) + 1 for text in held_out)
    theirs = 10 ** (-scores.sum() / words)
    print(f"kenlm on our file: perplexity {theirs:.4f} against {value:.4f}, {words / took:,.0f} words a CPU s")
    print(f"largest difference of a sentence: {np.abs(scores - ours).max():.1e} of log10")


def differences(ours: NGram, theirs: NGram, held_out: Sequence[str]) -> None:
    a, b = dict(rows(ours)), dict(rows(theirs))
    print(f"n-grams in one alone: {len(a.keys() ^ b.keys())} of {len(b):,}")
    apart = np.array([np.abs(np.subtract(a[key], b[key])) for key in a.keys() & b.keys()])
    print(f"largest differences from lmplz, log10: p {apart[:, 0].max():.1e}, back-off {apart[:, 1].max():.1e}")
    print(f"perplexity with lmplz's file: {perplexity(theirs, held_out):.4f}")


def rows(model: NGram) -> Iterator[tuple[str, tuple[float, float]]]:
    words, before, start = list(model.words), [""], 0
    for first, end in zip(model.first[:-1], model.first[1:], strict=True):
        histories, last = np.divmod(model.trie.keys[first:end], len(words))
        texts = [f"{before[h]} {words[w]}" for h, w in zip((histories - start).tolist(), last.tolist(), strict=True)]
        numbers = (model.trie.log10[first:end].tolist(), model.trie.backoff[first:end].tolist())
        yield from zip(texts, zip(*numbers, strict=True), strict=True)
        before, start = texts, first


def search(folder: Path, name: str, limit: int) -> None:
    settings = recipe_file.load(name, check_exists=False)
    test = load_clips(settings.data, settings.text, settings.language).test
    test = test.select(range(min(limit, len(test))))
    recogniser = checkpoints.from_folder(str(folder), recipe.Whisper(), settings.language)
    recogniser.model.eval()
    frames = [log_posteriors(recogniser, [decode(row["audio"])])[0] for row in test]
    fitted, seconds = decoder.load(folder), sum(test["seconds"])
    said = [normalise(text, settings.metric, settings.language) for text in test["raw"]]
    heard = [clip.numpy() for clip in frames]
    print(
        f"{len(test)} clips, {seconds:.0f} s, {sum(map(len, heard)) / seconds:.0f} frames a second; {fitted.weights}\n"
    )
    print("| | WER | audio s / CPU s | texts as ours |\n|---|---|---|---|")

    def tell(label: str, read: Read, reference: Sequence[str] | None = None) -> list[str]:
        texts, took = timed(lambda: [read(clip) for clip in heard])
        found = score(said, [normalise(text, settings.metric, settings.language) for text in texts], resamples=100)
        same = sum(a == b for a, b in zip(texts, reference or texts, strict=True)) / len(texts)
        print(f"| {label} | {found.wer:.1%} | {seconds / took:,.0f} | {same:.0%} |", flush=True)
        return texts

    by_clip = dict(zip(map(id, heard), frames, strict=True))
    tell("greedy", lambda clip: read_path(recogniser, by_clip[id(clip)].argmax(-1)).text)
    ours: list[str] = []
    for beam, least in ((10, 0.001), (20, 0.001), (50, 0.001), (100, 0.001), (200, 0.001), (50, 0.01), (50, 0.0001)):
        weights = fitted.weights.model_copy(update={"beam": beam, "least": least})
        found = tell(f"beam {beam}, least {least}", reader(recogniser, decoder.Decoder(fitted.lm, weights)))
        ours = found if (beam, least) == (50, 0.001) else ours
    no_model = fitted.weights.model_copy(update={"alpha": 0.0, "beta": 0.0})
    tell("beam 50, no language model", reader(recogniser, decoder.Decoder(fitted.lm, no_model)), ours)
    if importlib.util.find_spec("pyctcdecode") and importlib.util.find_spec("kenlm"):
        tell("pyctcdecode, beam 50", pyctcdecode(folder), ours)
    if importlib.util.find_spec("flashlight") and importlib.util.find_spec("kenlm"):
        for beam in (50, 500):
            tell(f"flashlight-text, beam {beam}", flashlight(folder, recogniser, fitted, beam), ours)


def reader(recogniser: Recogniser, with_model: decoder.Decoder) -> Read:
    find = decoder.finder(recogniser, with_model)
    return lambda clip: find(clip, 1)[0].text


def pyctcdecode(folder: Path) -> Read:
    from pyctcdecode import BeamSearchDecoderCTC

    theirs = BeamSearchDecoderCTC.load_from_dir(str(folder))
    return lambda clip: str(theirs.decode(clip, beam_width=50, token_min_logp=math.log(0.001)))


def flashlight(folder: Path, recogniser: Recogniser, fitted: decoder.Decoder, beam: int) -> Read:
    """Its lexicon is the model's words: it writes no other. Words end with the delimiter, so one is put at the end."""
    from flashlight.lib.text import decoder as flashlight_decoder
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    assert isinstance(fitted.lm, NGram)
    alphabet, words = decoder.alphabet_for(recogniser), Dictionary()
    known = [word for word in fitted.lm.words if set(word) <= set(filter(None, alphabet.written))]
    for word in [*known, "<unk>"]:
        words.add_entry(word)
    model = KenLM(str(folder / decoder.FOLDER / decoder.ARPA), words)
    trie, start = flashlight_decoder.Trie(len(alphabet.written), alphabet.delimiter), model.start(False)
    for word in known:
        number = words.get_index(word)
        _, unigram = model.score(start, number)
        trie.insert([*recogniser.encode(word), alphabet.delimiter], number, unigram)
    trie.smear(flashlight_decoder.SmearingMode.MAX)
    options = flashlight_decoder.LexiconDecoderOptions(
        beam_size=beam,
        beam_size_token=len(alphabet.written),
        beam_threshold=50.0,
        lm_weight=fitted.weights.alpha * math.log(10),
        word_score=fitted.weights.beta,
        unk_score=-math.inf,
        sil_score=0.0,
        log_add=True,
        criterion_type=flashlight_decoder.CriterionType.CTC,
    )
    theirs = flashlight_decoder.LexiconDecoder(
        options, trie, model, alphabet.delimiter, alphabet.blank, words.get_index("<unk>"), [], False
    )

    def read(clip: np.ndarray) -> str:
        end = np.full((1, clip.shape[1]), -30.0, np.float32)
        end[0, alphabet.delimiter] = 0.0
        emissions = np.ascontiguousarray(np.concatenate([clip, end]), dtype=np.float32)
        found = theirs.decode(emissions.ctypes.data, *emissions.shape)
        return " ".join(words.get_entry(word) for word in found[0].words if word >= 0) if found else ""

    return read


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    began = time.process_time()
    return work(), time.process_time() - began


if __name__ == "__main__":
    main()
