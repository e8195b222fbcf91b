"""Where each word lies in a recording and how sure the recogniser was of it.

CTC: from the posteriors along the best path. Whisper: the text it wrote is read to it once more, and the weights
with which its decoder looked at the sound place each token (openai/whisper, timing.py). Confidences are the
network's own and not calibrated: they rank words, they are no probabilities of being right (arXiv:2101.05525).
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hf_asr.decoding.ctc import frame_logits, read_path
from hf_asr.decoding.hypothesis import ScoredWord, Word
from hf_asr.decoding.transcribe import RATE, transcribe_recording, windows
from hf_asr.models.recogniser import Recogniser, label_limit
from hf_asr.models.whisper import FRAMES_PER_SECOND, FULL_SECONDS
from hf_asr.text.normalise import UNSPACED


@dataclass(frozen=True)
class Reading:
    """The text that transcribe_recording gives, and its words in order; a language without spaces: its characters."""

    text: str
    words: tuple[ScoredWord, ...] = ()


def read(recogniser: Recogniser, samples: np.ndarray, beams: int = 1) -> Reading:
    """One recording of any length, float [samples] at 16 kHz."""
    recogniser.model.eval()
    if recogniser.family == "ctc":
        best = torch.cat(list(windows(recogniser, samples, _best_units)))
        return read_posteriors(recogniser, best, len(samples) / RATE)
    long = len(samples) > FULL_SECONDS * RATE
    heard = transcribe_recording(recogniser, samples, beams, times=long)
    whole = Word(heard.text, 0.0, len(samples) / RATE)
    words: list[ScoredWord] = []
    for part in _parts(heard.words) if long else (whole,):
        start = max(0.0, min(part.start, whole.end - 1))
        piece = samples[round(start * RATE) : round(max(part.end, start + 1) * RATE)][: round(FULL_SECONDS * RATE)]
        words += _align(recogniser, piece, part.text, start)
    return Reading(heard.text, tuple(words))


def read_posteriors(recogniser: Recogniser, best: Tensor, seconds: float) -> Reading:
    """The reading of `best` [frames, 2], the best unit of every frame and its posterior, of so many seconds."""
    path, posteriors = best[:, 0].long(), best[:, 1]
    per_frame = seconds / max(len(path), 1)
    heard = read_path(recogniser, path, per_frame)
    symbols = _symbols(path, posteriors, recogniser.processor.tokenizer.pad_token_id)
    words = []
    for word in heard.words:
        begin, end = round(word.start / per_frame), round(word.end / per_frame)
        own = [posterior for frame, posterior in symbols if begin <= frame < end]
        words.append(ScoredWord(word.text, word.start, word.end, sum(own) / len(own), min(own)))
    return Reading(heard.text, tuple(words))


@torch.no_grad()
def _best_units(recogniser: Recogniser, samples: list[np.ndarray]) -> list[Tensor]:
    """Per clip, the best unit of each frame and its posterior [frames, 2]."""
    found = []
    for logits in frame_logits(recogniser, samples):
        best = logits.argmax(-1, keepdim=True)  # of the logits, as best_path: softmax may round two to one number
        found.append(torch.cat([best.float(), logits.float().softmax(-1).gather(-1, best)], -1).cpu())
    return found


def _symbols(path: Tensor, posteriors: Tensor, blank: int) -> list[tuple[int, float]]:
    """(first frame, mean posterior) of every run of one unit; runs of blanks are passed over."""
    units, counts = torch.unique_consecutive(path, return_counts=True)
    means = [float(run.mean()) for run in posteriors.split(counts.tolist())]
    starts = (counts.cumsum(0) - counts).tolist()
    return [(start, mean) for unit, start, mean in zip(units.tolist(), starts, means, strict=True) if unit != blank]


def _parts(segments: Sequence[Word]) -> Iterator[Word]:
    """Whisper's segments gathered into stretches that fit its window."""
    held: list[Word] = []
    for segment in segments:
        if held and segment.end - held[0].start > FULL_SECONDS:
            yield Word(" ".join(word.text for word in held), held[0].start, held[-1].end)
            held = []
        held.append(segment)
    if held:
        yield Word(" ".join(word.text for word in held), held[0].start, held[-1].end)


def _align(recogniser: Recogniser, samples: np.ndarray, text: str, offset: float) -> list[ScoredWord]:
    """The words of a text in samples of up to 30 s that begin at `offset` seconds; none of a text without words."""
    tokenizer, spans = recogniser.processor.tokenizer, word_spans(text)
    if not spans:
        return []
    coded = tokenizer(" " + text, add_special_tokens=False, return_offsets_mapping=True)
    limit = label_limit(recogniser)
    tokens, edges = coded["input_ids"][:limit], coded["offset_mapping"][:limit]
    weights, chances = look_back(recogniser, samples, tokens)
    posteriors = chances[range(len(tokens)), tokens].tolist()
    frames = max(1, round(len(samples) / RATE * FRAMES_PER_SECOND))
    times = first_frames(alignment(weights[..., :frames], recogniser.model.config.median_filter_width))
    # tokens carry the space before them, and the text one more than the spans: count from there
    starts = [start + 1 for start, _ in spans]
    owners = [bisect_left(starts, max(end, start + 1)) - 1 for start, end in edges]
    words = []
    for number, (start, end) in enumerate(spans):
        own = [index for index, owner in enumerate(owners) if owner == number]
        if own:  # a text longer than the decoder ends without
            found = [posteriors[index] for index in own]
            begin, stop = (offset + times[index] / FRAMES_PER_SECOND for index in (own[0], own[-1] + 1))
            words.append(ScoredWord(text[start:end], begin, stop, sum(found) / len(found), min(found)))
    return words


def word_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of every word; in scripts that write no spaces, of every character."""

    def unspaced(char: str) -> bool:
        return unicodedata.name(char, "").partition(" ")[0] in UNSPACED

    spans: list[tuple[int, int]] = []
    for match in re.finditer(r"\S+", text):
        begin = match.start()
        for at in range(match.start() + 1, match.end()):
            # a mark belongs to the character before it
            if (unspaced(text[at]) or unspaced(text[at - 1])) and unicodedata.category(text[at])[0] not in "MP":
                spans.append((begin, at))
                begin = at
        spans.append((begin, match.end()))
    return spans


@torch.no_grad()
def look_back(recogniser: Recogniser, samples: np.ndarray, tokens: list[int]) -> tuple[Tensor, Tensor]:
    """Cross-attention [heads, tokens + 1, frames] of the heads that follow the sound, and the posteriors of all text
    tokens where each of `tokens` stands [tokens, text tokens].

    Row n is how the decoder looked as it wrote token n, the last as it wrote the end.
    """
    network, tokenizer, prefix = recogniser.model, recogniser.processor.tokenizer, recogniser.prefix
    features = recogniser.processor.feature_extractor(samples, sampling_rate=RATE, return_tensors="pt")
    encoded = network.get_encoder()(features["input_features"].to(network.device, network.dtype))
    given = torch.tensor([[*prefix, *tokens, tokenizer.eos_token_id]], device=network.device)
    before = network.config._attn_implementation
    network.set_attn_implementation("eager")  # no other gives its weights; the encoder above keeps the fast one
    try:
        found: Any = network(encoder_outputs=encoded, decoder_input_ids=given, output_attentions=True)
    finally:
        network.set_attn_implementation(before)
    layers, heads = network.config.decoder_layers, network.config.decoder_attention_heads
    late = [[layer, head] for layer in range(layers // 2, layers) for head in range(heads)]
    chosen = getattr(network.generation_config, "alignment_heads", None) or late
    weights = torch.stack([found.cross_attentions[layer][0, head] for layer, head in chosen]).float()
    first = len(prefix) - 1
    logits = found.logits[0, first : first + len(tokens), : tokenizer.eos_token_id].float()  # text tokens only
    posteriors = logits.softmax(-1).cpu()
    # over all rows, the prompt's included: what every token looks at places none
    weights = (weights - weights.mean(1, keepdim=True)) / weights.std(1, keepdim=True, correction=0).clamp(min=1e-6)
    return weights[:, first:-1], posteriors


def alignment(weights: Tensor, width: int) -> np.ndarray:
    """How well token and frame fit [tokens, frames], from weights [heads, tokens, frames]: median filter, mean."""
    side = width // 2
    if weights.shape[-1] > side:
        padded = functional.pad(weights, (side, side), mode="reflect")
        weights = padded.unfold(-1, width, 1).median(-1).values
    return np.asarray(weights.mean(0).cpu(), dtype=np.float64)


def first_frames(fit: np.ndarray) -> list[int]:
    """Where each row of `fit` [tokens, frames] begins on the best monotonic path through it (dynamic time warping)."""
    tokens, frames = fit.shape
    total = np.full((tokens + 1, frames + 1), np.inf)
    total[0, 0] = 0
    for diagonal in range(tokens + frames - 1):
        i = np.arange(max(0, diagonal - frames + 1), min(tokens, diagonal + 1))
        j = diagonal - i
        total[i + 1, j + 1] = np.minimum(np.minimum(total[i, j], total[i, j + 1]), total[i + 1, j]) - fit[i, j]
    i, j, firsts = tokens, frames, [0] * tokens
    while i and j:
        firsts[i - 1] = j - 1
        i, j = min(((i - 1, j - 1), (i, j - 1), (i - 1, j)), key=lambda place: total[place])
    return firsts
