"""Greedy, beam search, and beam search with a language model on one network: word errors and speed, ours and others'.

    ./scripts/bench decoding RUN [--clips 60]

RUN is a finished run with a CTC head (its whole path, where it is not below this folder); the clips are of its test
side. Where its model holds no decoder one is fitted as `decoding.lm` would do it, on its train and validation sides,
and thrown away afterwards. pyctcdecode (with kenlm) and flashlight-text read the same frames with the same language
model and weights where they are installed: `pip install flashlight-text kenlm pygtrie hypothesis`, and
`pip install --no-deps pyctcdecode==0.5.0`. Speed is seconds of audio a second of CPU time of one thread, the network
left out.
"""

import argparse
import importlib.util
import itertools
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from hf_asr import recipe, run
from hf_asr.data.audio import decode
from hf_asr.data.clips import Clips, load_clips
from hf_asr.decoding import decoder
from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.beam import LN10, Fusion, search
from hf_asr.decoding.ctc import log_posteriors, read_path
from hf_asr.decoding.decoder import Decoder, alphabet_for
from hf_asr.decoding.fit import fit_decoder
from hf_asr.decoding.lexicon import BEGINNING, lexicon
from hf_asr.decoding.ngram import END, NGram, Penalised, known_words
from hf_asr.evaluation.metrics import score
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import Recogniser
from hf_asr.recipe import file as recipe_file
from hf_asr.text.normalise import normalise

Result = TypeVar("Result")
Read = Callable[[np.ndarray], str]  # log probabilities [frames, units] → text
LEAST = math.log(0.001)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", type=Path)
    parser.add_argument("--clips", type=int, default=10_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    folder = given.run.resolve()
    settings = recipe_file.load(str(folder / run.RECIPE), check_exists=False)
    # its relative paths are those of the folder that it was started in
    starts = [start for start in (Path.cwd(), *folder.parents) if (start / settings.data.sources[0].path).exists()]
    os.chdir(starts[0] if starts else Path.cwd())
    clips = load_clips(settings.data, settings.text, settings.language)
    recogniser = checkpoints.from_folder(str(folder / run.MODEL), recipe.Whisper(), settings.language)
    recogniser.model.eval()
    with tempfile.TemporaryDirectory() as scratch:
        kept = folder / run.MODEL
        if not (kept / decoder.SETTINGS).is_file():
            kept = Path(scratch)
            decoder.save(fitted(recogniser, clips, settings), recogniser, kept)
        table(recogniser, clips, settings, kept, given.clips)


def fitted(recogniser: Recogniser, clips: Clips, settings: recipe.Recipe) -> Decoder:
    decoding = settings.decoding
    if decoding.lm is None:
        decoding = decoding.model_copy(update={"lm": recipe.LanguageModel()})
    train, test = clips.train["text"][:], clips.test["text"][:]
    return fit_decoder(
        recogniser, train, clips.validation, test, decoding, settings.text, settings.metric, settings.language
    )


def table(recogniser: Recogniser, clips: Clips, settings: recipe.Recipe, folder: Path, limit: int) -> None:
    test = clips.test.select(range(min(limit, len(clips.test))))
    lm, seconds = decoder.load(folder), sum(test["seconds"])
    said = [normalise(text, settings.metric, settings.language) for text in test["raw"]]
    heard = [log_posteriors(recogniser, [decode(row["audio"])])[0].numpy() for row in test]
    words = [word for text in said for word in text.split()]
    unknown = sum(word not in lm.lm.vocabulary for word in words) / len(words)
    print(f"{len(test)} clips, {seconds:.0f} s, {sum(map(len, heard)) / seconds:.0f} frames a second;", lm.weights)
    print(f"{unknown:.1%} of the {len(words):,} words are new to the language model\n")
    print("| | WER | audio s / CPU s | texts as beam 50 |\n|---|---|---|---|")
    found: dict[str, list[str]] = {}
    for name, read in ways(recogniser, lm, folder):
        texts, took = timed(lambda read=read: [read(clip) for clip in heard])
        found[name] = [normalise(text, settings.metric, settings.language) for text in texts]
        wer = score(said, found[name], resamples=100).wer
        same = sum(map(str.__eq__, found[name], found.get("beam 50 + LM", found[name])))
        told = f"{same} of {len(said)}" if "beam 50 + LM" in found else ""
        print(f"| {name} | {wer:.1%} | {seconds / took:,.0f} | {told} |", flush=True)
    examples(said, found)


def ways(recogniser: Recogniser, lm: Decoder, folder: Path) -> itertools.chain[tuple[str, Read]]:
    """What is compared; each is made when it is its turn."""
    alphabet = alphabet_for(recogniser)

    def ours(beam: int, **weights: float) -> Read:
        return reader(recogniser, replace(lm, weights=lm.weights.model_copy(update={"beam": beam, **weights})))

    def plain() -> list[tuple[str, Read]]:
        return [
            ("greedy", lambda clip: read_path(recogniser, torch.from_numpy(clip).argmax(-1)).text),
            ("beam 50", without_lm(alphabet, 50)),
            *((f"beam {beam} + LM", ours(beam)) for beam in (50, 10, 20, 100, 200)),
            *((f"beam 50 + LM, least {least}", ours(50, least=least)) for least in (0.01, 0.0001)),
            ("beam 50 + LM, without looking ahead", without_looking_ahead(alphabet, lm, 50)),
            ("beam 50 + LM, unknown words as it has them", ours(50, unknown=0.0)),
            *((f"beam {beam} + LM, its words only", ours(beam, unknown=-100.0)) for beam in (50, 200)),
        ]

    def others() -> list[tuple[str, Callable[[], Read]]]:
        found: list[tuple[str, Callable[[], Read]]] = []
        kenlm = importlib.util.find_spec("kenlm") is not None and isinstance(lm.lm, NGram)
        if importlib.util.find_spec("pyctcdecode") and kenlm:
            found += [(f"pyctcdecode, beam {beam}", lambda b=beam: pyctcdecode(folder, b)) for beam in (50, 200)]
        if importlib.util.find_spec("flashlight"):
            for beam in (50, 150, 500):
                found.append(
                    (f"flashlight, lexicon, beam {beam}", lambda b=beam: by_lexicon(folder, recogniser, lm, b))
                )
            found.append(("flashlight, no lexicon, beam 100", lambda: without_lexicon(alphabet, lm, 100)))
        return found

    return itertools.chain(plain(), ((name, make()) for name, make in others()))


def examples(said: Sequence[str], found: dict[str, list[str]]) -> None:
    for name, texts in found.items():
        if name.startswith(("pyctcdecode, beam 50", "flashlight, lexicon, beam 150", "flashlight, no")):
            rows = [row for row in zip(said, found["beam 50 + LM"], texts, strict=True) if row[1] != row[2]]
            print(f"\n{name}: {len(rows)} of {len(said)} texts differ; said | beam 50 + LM | {name}")
            print("".join(f"    {' | '.join(row)}\n" for row in rows[:5]), end="")


def reader(recogniser: Recogniser, lm: Decoder) -> Read:
    find = decoder.finder(recogniser, lm)
    return lambda clip: "".join(one.text for one in find(clip, 1))


def without_lm(alphabet: Alphabet, beam: int) -> Read:
    return lambda clip: search(clip, alphabet, None, beam, math.exp(LEAST))[0].text


def without_looking_ahead(alphabet: Alphabet, lm: Decoder, beam: int) -> Read:
    known = known_words(lm.lm, ())
    fusion = Fusion(Penalised(lm.lm, lm.weights.unknown, known), lm.weights.alpha, lm.weights.beta)
    return lambda clip: search(clip, alphabet, fusion, beam, lm.weights.least)[0].text


def pyctcdecode(folder: Path, beam: int) -> Read:
    from pyctcdecode import BeamSearchDecoderCTC

    theirs = BeamSearchDecoderCTC.load_from_dir(str(folder))
    return lambda clip: str(theirs.decode(clip, beam_width=beam, token_min_logp=LEAST))


def by_lexicon(folder: Path, recogniser: Recogniser, lm: Decoder, beam: int) -> Read:
    """Its lexicon is the model's words: it writes no other. Words end with the delimiter, so one is put at the end."""
    from flashlight.lib.text import decoder as flashlight
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    assert isinstance(lm.lm, NGram)
    alphabet, words = alphabet_for(recogniser), Dictionary()
    known = [word for word in lm.lm.words if set(word) <= set(filter(None, alphabet.written))]
    for word in [*known, "<unk>"]:
        words.add_entry(word)
    model = KenLM(str(folder / decoder.FOLDER / decoder.ARPA), words)
    trie, start = flashlight.Trie(len(alphabet.written), alphabet.delimiter), model.start(False)
    for word in known:
        number = words.get_index(word)
        _, unigram = model.score(start, number)
        trie.insert([*recogniser.encode(word), alphabet.delimiter], number, unigram)
    trie.smear(flashlight.SmearingMode.MAX)
    options = flashlight.LexiconDecoderOptions(
        beam_size=beam,
        beam_size_token=len(alphabet.written),
        beam_threshold=50.0,
        lm_weight=lm.weights.alpha * LN10,
        word_score=lm.weights.beta,
        unk_score=-math.inf,
        sil_score=0.0,
        log_add=True,
        criterion_type=flashlight.CriterionType.CTC,
    )
    theirs = flashlight.LexiconDecoder(
        options, trie, model, alphabet.delimiter, alphabet.blank, words.get_index("<unk>"), [], False
    )

    def read(clip: np.ndarray) -> str:
        end = np.full((1, clip.shape[1]), -30.0, np.float32)
        end[0, alphabet.delimiter] = 0.0
        emissions = np.ascontiguousarray(np.concatenate([clip, end]), dtype=np.float32)
        found = theirs.decode(emissions.ctypes.data, *emissions.shape)
        return " ".join(words.get_entry(word) for word in found[0].words if word >= 0) if found else ""

    return read


def without_lexicon(alphabet: Alphabet, lm: Decoder, beam: int) -> Read:
    """Any word can be written. KenLM would take units for words here, so it asks our model through Python."""
    from flashlight.lib.text import decoder as flashlight

    options = flashlight.LexiconFreeDecoderOptions(
        beam_size=beam,
        beam_size_token=8,
        beam_threshold=50.0,
        lm_weight=1.0,
        sil_score=0.0,
        log_add=True,
        criterion_type=flashlight.CriterionType.CTC,
    )
    asked = asking(alphabet, lm)  # kept alive by `read`: the decoder alone does not
    theirs = flashlight.LexiconFreeDecoder(options, asked, alphabet.delimiter or 0, alphabet.blank, [])

    def read(clip: np.ndarray) -> str:
        emissions = np.ascontiguousarray(clip, dtype=np.float32)
        assert asked is not None
        path = theirs.decode(emissions.ctypes.data, *emissions.shape)[0].tokens
        units = [unit for unit, _ in itertools.groupby(path) if unit not in (-1, alphabet.blank)]
        return " ".join(alphabet.text(units).split())

    return read


def asking(alphabet: Alphabet, lm: Decoder):  # type: ignore[no-untyped-def]  # a class of a package that may be missing
    """Our language model as flashlight asks one: a score for every unit, with the same look ahead as ours."""
    from flashlight.lib.text.decoder import LM, LMState

    weights, size = lm.weights, len(alphabet.written)
    model = Penalised(lm.lm, weights.unknown, known_words(lm.lm, ()))
    words = lexicon(alphabet, model)
    hope = weights.alpha * LN10 * words.log10 + weights.beta * (np.arange(len(words.log10)) != BEGINNING)

    class Asking(LM):  # type: ignore[misc]
        def start(self, start_with_nothing: bool) -> LMState:
            state = LMState()
            # after complete words; place of the word that is being written, and its letters
            self.states = {state: (lm.lm.start, BEGINNING, "")}
            self.scores = {state: 0.0}
            return state

        def complete(self, state: LMState) -> tuple[float, int]:
            after, place, letters = self.states[state]
            if not letters:
                return 0.0, after
            log10, then = model.step(np.array([after]), [letters])
            return float(weights.alpha * LN10 * log10[0] + weights.beta - hope[place]), int(then[0])

        def score(self, state: LMState, unit: int) -> tuple[LMState, float]:
            longer = state.child(unit)
            if longer not in self.states:
                after, place, letters = self.states[state]
                written = alphabet.written[unit]
                if unit == alphabet.delimiter:
                    self.scores[longer], then = self.complete(state)
                    self.states[longer] = (then, BEGINNING, "")
                else:
                    new = int(words.after(np.array(place), np.array(unit), size))
                    self.scores[longer] = float(hope[new] - hope[place]) if written else -1e4
                    self.states[longer] = (after, new, letters + (written or ""))
            return longer, self.scores[longer]

        def finish(self, state: LMState) -> tuple[LMState, float]:
            added, after = self.complete(state)
            end = float(model.step(np.array([after]), [END])[0][0])
            return state, added + weights.alpha * LN10 * end

    return Asking()


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    began = time.process_time()
    return work(), time.process_time() - began


if __name__ == "__main__":
    main()
