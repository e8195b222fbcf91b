"""Error rates and alignments against jiwer, against the literature and against tables counted by hand."""

import random
import sys
import time
from dataclasses import asdict

import jiwer
import numpy as np
import pytest

from hf_asr.evaluation.metrics import Score, compare, per_utterance, score, wer_metric, word_diff

SCRIPTS = {
    "Latin": ["the", "of", "and", "a", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on", "are"],
    "Devanagari": ["यह", "है", "और", "का", "की", "के", "में", "से", "को", "नहीं", "हिन्दी", "भाषा"],
    "Cyrillic": ["и", "в", "не", "на", "я", "быть", "он", "с", "что", "а", "по", "это", "она"],
    "Han": ["我", "你", "他", "我们", "中国", "语言", "学习", "今天", "天气", "很好"],
}


def random_pairs(words: list[str], count: int) -> tuple[list[str], list[str]]:
    """Half of the hypotheses have nothing to do with the reference, half have a word in six wrong."""
    dice = random.Random(1)
    references = [" ".join(dice.choices(words, k=dice.randint(1, 15))) for _ in range(count)]
    hypotheses = [" ".join(dice.choices(words, k=dice.randint(0, 15))) for _ in range(count // 2)]
    for reference in references[count // 2 :]:
        changed = [dice.choice(["", word, *words]) if dice.random() < 1 / 6 else word for word in reference.split()]
        hypotheses.append(" ".join(word for word in changed if word))
    return references, hypotheses


@pytest.mark.parametrize("words", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_equals_jiwer_on_5000_random_pairs(words: list[str]) -> None:
    references, hypotheses = random_pairs(words, 5000)
    ours, theirs = score(references, hypotheses, resamples=1), jiwer.process_words(references, hypotheses)
    assert (ours.substitutions, ours.deletions, ours.insertions) == (
        theirs.substitutions,
        theirs.deletions,
        theirs.insertions,
    )
    assert ours.wer == theirs.wer
    assert ours.cer == jiwer.cer(references, hypotheses)


def test_errors_of_each_utterance_equal_jiwers() -> None:
    references, hypotheses = random_pairs(SCRIPTS["Han"], 300)
    errors, words = per_utterance(references, hypotheses)
    alone = [jiwer.process_words(*pair) for pair in zip(references, hypotheses, strict=True)]
    assert errors.tolist() == [one.substitutions + one.deletions + one.insertions for one in alone]
    assert words.tolist() == [len(one.references[0]) for one in alone]


@pytest.mark.parametrize(
    ("references", "hypotheses", "edits", "wer", "cer"),
    [
        (["a b c"], ["a b c"], (0, 0, 0), 0.0, 0.0),
        (["a b c"], ["a x c"], (1, 0, 0), 1 / 3, 1 / 5),
        (["a b c"], ["a c"], (0, 1, 0), 1 / 3, 2 / 5),
        (["a b"], ["a x y b"], (0, 0, 2), 1.0, 4 / 3),
        (["a b"], [""], (0, 2, 0), 1.0, 1.0),
        (["a"], ["x y z"], (1, 0, 2), 3.0, 5.0),
        # the corpus' rate, not the mean of rates (which would be 1/2)
        (["a b c d", "e"], ["a b c d", "x"], (1, 0, 0), 1 / 5, 1 / 8),
        # words where there were none count as errors
        (["", "a b"], ["x", "a b"], (0, 0, 1), 1 / 2, 1 / 3),
        ([" a\tb "], ["a  b\n"], (0, 0, 0), 0.0, 0.0),
    ],
)
def test_known_tables(
    references: list[str], hypotheses: list[str], edits: tuple[int, int, int], wer: float, cer: float
) -> None:
    result = score(references, hypotheses, resamples=10)
    assert (result.substitutions, result.deletions, result.insertions) == edits
    assert result.wer == pytest.approx(wer)
    assert result.cer == pytest.approx(cer)


def test_everything_counted() -> None:
    result = score(["", "a b", " ", "cde"], ["x", "a b", "", "cd"], resamples=50)
    assert (result.utterances, result.empty_references, result.words, result.characters) == (4, 2, 3, 6)
    assert result.wer_low <= result.wer <= result.wer_high
    assert result.cer_low <= result.cer <= result.cer_high
    assert all(np.isfinite([result.wer_low, result.wer_high, result.cer_low, result.cer_high]))


def test_errors_per_utterance() -> None:
    errors, words = per_utterance(["a b c", "", "d"], ["a x", "y y", "d"])
    assert errors.tolist() == [2, 2, 0]
    assert words.tolist() == [3, 0, 1]


@pytest.mark.parametrize(
    ("references", "hypotheses", "error", "told"),
    [
        (["", "  "], ["a", ""], ValueError, "no words"),
        ([], [], ValueError, "no words"),
        (["a"], ["a", "b"], ValueError, "1 references, but 2 hypotheses"),
        ("a b", "a b", TypeError, "lists of texts"),
        ("ab", ["a", "b"], TypeError, "lists of texts"),
        (["a", "b"], "ab", TypeError, "lists of texts"),
    ],
)
def test_what_cannot_be_scored_is_an_error(
    references: list[str], hypotheses: list[str], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        score(references, hypotheses)


def test_a_score_saved_before_resampled_was_there_is_still_read() -> None:
    saved = asdict(score(["a b"], ["a"]))
    assert saved.pop("resampled") == "utterances"
    assert Score(**saved) == score(["a b"], ["a"])


def test_speakers_are_resampled_when_there_are_five() -> None:
    references, hypotheses = ["a b c d"] * 40, ["a b c d"] * 20 + ["x b c d"] * 20
    alone = score(references, hypotheses)
    four, five = ([f"s{number * people // 40}" for number in range(40)] for people in (4, 5))
    assert score(references, hypotheses, speakers=four) == alone
    by_speaker = score(references, hypotheses, speakers=five)
    assert by_speaker.resampled == "speakers"
    assert by_speaker.wer == alone.wer
    # half of the speakers have all of the errors
    assert by_speaker.wer_high - by_speaker.wer_low > 2 * (alone.wer_high - alone.wer_low)
    assert compare(references, references, hypotheses, speakers=four).resampled == "utterances"
    assert compare(references, references, hypotheses, speakers=five).resampled == "speakers"
    with pytest.raises(ValueError, match="40 utterances, but 39 speakers"):
        score(references, hypotheses, speakers=five[1:])


@pytest.mark.parametrize(
    ("reference", "hypothesis", "diff"),
    [
        # Wagner & Fischer's problem, by letters: the textbook pairs
        (
            "k i t t e n",
            "s i t t i n g",
            "substitute k/s equal i t t/i t t substitute e/i equal n/n insert /g",
        ),
        (
            "s a t u r d a y",
            "s u n d a y",
            "equal s/s delete a t/ equal u/u substitute r/n equal d a y/d a y",
        ),
        # jiwer's documentation
        ("hello world", "hello duck", "equal hello/hello substitute world/duck"),
        (
            "this is the hypothesis",
            "this is the great hypothesis",
            "equal this is the/this is the insert /great equal hypothesis/hypothesis",
        ),
        ("", "a b", "insert /a b"),
        ("a b", "", "delete a b/"),
        ("a  b", "a b ", "equal a b/a b"),
        ("", "", ""),
    ],
)
def test_known_alignments(reference: str, hypothesis: str, diff: str) -> None:
    found = word_diff(reference, hypothesis)
    assert " ".join(f"{kind} {' '.join(said)}/{' '.join(heard)}" for kind, said, heard in found) == diff


def test_the_alignment_of_jurafsky_and_martin() -> None:
    # Speech and Language Processing, 3rd edition, Automatic Speech Recognition: 6 S, 3 I, 1 D of 13 words, WER 76.9 %
    reference = "i um the phone is i left the portable phone upstairs last night"
    hypothesis = "i got it to the fullest i love to portable form of stores last night"
    result = score([reference], [hypothesis])
    assert (result.substitutions, result.insertions, result.deletions, result.words) == (6, 3, 1, 13)
    assert f"{result.wer:.1%}" == "76.9%"
    diff = word_diff(reference, hypothesis)
    assert ("substitute", ["left", "the"], ["love", "to"]) in diff
    assert diff[-1] == ("equal", ["last", "night"], ["last", "night"])


def test_alignments_hold_every_word_and_as_many_errors_as_the_score() -> None:
    references, hypotheses = random_pairs(SCRIPTS["Cyrillic"], 300)
    errors, _ = per_utterance(references, hypotheses)
    for reference, hypothesis, count in zip(references, hypotheses, errors, strict=True):
        diff = word_diff(reference, hypothesis)
        assert [word for _, said, _ in diff for word in said] == reference.split()
        assert [word for _, _, heard in diff for word in heard] == hypothesis.split()
        assert all(said == heard for kind, said, heard in diff if kind == "equal")
        assert all(len(said) == len(heard) for kind, said, heard in diff if kind == "substitute")
        assert sum(max(len(said), len(heard)) for kind, said, heard in diff if kind != "equal") == count


@pytest.mark.slow
def test_ten_thousand_resamples_of_ten_thousand_utterances_take_under_two_seconds() -> None:
    references, hypotheses = random_pairs(SCRIPTS["Latin"], 10_000)
    started = time.process_time()
    score(references, hypotheses)
    assert time.process_time() - started < 2  # measured: 0.6


def test_comparison_is_of_b_against_a() -> None:
    references = ["a b c d"] * 40
    good, bad = ["a b c d"] * 40, ["a b c x", "a b x x"] * 20
    worse = compare(references, good, bad)
    assert worse.verdict == "worse"
    assert worse.difference == pytest.approx(0.375)
    assert 0 < worse.low <= worse.difference <= worse.high
    assert worse.p_value < 0.01
    better = compare(references, bad, good)
    assert (better.verdict, better.difference) == ("better", -worse.difference)
    same = compare(references, bad, bad)
    assert (same.verdict, same.p_value, same.difference) == ("no evidence of a difference", 1.0, 0.0)
    assert (same.low, same.high, same.matched_pairs_p) == (0.0, 0.0, 1.0)
    assert worse.matched_pairs_p == pytest.approx(better.matched_pairs_p)


def test_the_same_seed_gives_the_same_interval() -> None:
    references, hypotheses = random_pairs(SCRIPTS["Latin"], 50)
    assert score(references, hypotheses, seed=3) == score(references, hypotheses, seed=3)
    assert score(references, hypotheses, seed=4) != score(references, hypotheses, seed=3)


def test_the_metric_for_evaluate_agrees() -> None:
    references, hypotheses = ["a b c", "", "d"], ["a x", "y", "d"]
    expected: Score = score(references, hypotheses)
    result = wer_metric().compute(predictions=hypotheses, references=references)
    assert result == {"wer": expected.wer, "cer": expected.cer}


def test_the_metric_works_in_an_evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy", reason="evaluate.evaluator needs scipy: pip install evaluate[evaluator]")
    import datasets
    import evaluate

    class Recogniser:  # what evaluate asks of a pipeline
        task = "automatic-speech-recognition"

        def __call__(self, clips: list[str], **options: object) -> list[dict[str, str]]:
            return [{"text": clip.removesuffix(".wav")} for clip in clips]

    # given a name: evaluate 0.4.6 asks for transformers.TFPreTrainedModel, gone in 5, when it is given a pipeline
    base = sys.modules[evaluate.evaluator.__module__ + ".base"]
    monkeypatch.setattr(base, "pipeline", lambda *args, **options: Recogniser())
    data = datasets.Dataset.from_dict({"path": ["a b.wav", "c.wav"], "sentence": ["a x", "c"]})
    evaluator = evaluate.evaluator("automatic-speech-recognition")
    result = evaluator.compute(model_or_pipeline="a model", data=data, metric=wer_metric())
    assert result["wer"] == pytest.approx(1 / 3)
    assert result["cer"] == pytest.approx(1 / 4)
