"""Error rates against jiwer and against tables counted by hand; intervals and tests against simulated truth."""

import random
import sys

import jiwer
import numpy as np
import pytest

from hf_asr.evaluation.metrics import Score, compare, per_utterance, score, wer_metric

SCRIPTS = {
    "Latin": ["the", "of", "and", "a", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on", "are"],
    "Devanagari": ["यह", "है", "और", "का", "की", "के", "में", "से", "को", "नहीं", "हिन्दी", "भाषा"],
    "Cyrillic": ["и", "в", "не", "на", "я", "быть", "он", "с", "что", "а", "по", "это", "она"],
    "Han": ["我", "你", "他", "我们", "中国", "语言", "学习", "今天", "天气", "很好"],
}


@pytest.mark.parametrize("words", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_equals_jiwer_on_random_pairs(words: list[str]) -> None:
    dice = random.Random(1)
    for _ in range(10):
        references = [" ".join(dice.choices(words, k=dice.randint(1, 9))) for _ in range(20)]
        hypotheses = [" ".join(dice.choices(words, k=dice.randint(0, 9))) for _ in range(20)]
        ours, theirs = score(references, hypotheses, resamples=1), jiwer.process_words(references, hypotheses)
        assert ours.wer == pytest.approx(theirs.wer)
        assert ours.cer == pytest.approx(jiwer.cer(references, hypotheses))
        assert ours.substitutions == theirs.substitutions
        assert ours.deletions == theirs.deletions
        assert ours.insertions == theirs.insertions


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
    ],
)
def test_what_cannot_be_scored_is_an_error(
    references: list[str], hypotheses: list[str], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        score(references, hypotheses)


def heard(chance: np.ndarray, words: int, generator: np.random.Generator) -> list[str]:
    """Utterances of the word "a", each word misheard with its utterance's chance."""
    wrong = generator.random((len(chance), words)) < chance[:, None]
    return [" ".join("x" if is_wrong else "a" for is_wrong in row) for row in wrong]


def test_the_interval_covers_the_truth_nineteen_times_in_twenty() -> None:
    generator, words, runs = np.random.default_rng(0), 8, 200
    references = [" ".join("a" * words)] * 150
    covered = 0
    for run in range(runs):
        # utterances differ in difficulty, so errors come in clusters: the true WER is the mean of Beta(1, 4), 0.2
        result = score(references, heard(generator.beta(1, 4, size=150), words, generator), seed=run, resamples=200)
        covered += result.wer_low <= 0.2 <= result.wer_high
    assert 0.90 <= covered / runs <= 0.98


def test_equals_are_seldom_told_apart_and_a_better_one_is() -> None:
    generator, words, runs = np.random.default_rng(0), 8, 200
    references = [" ".join("a" * words)] * 100
    alarms = found = 0
    for run in range(runs):
        chance = generator.beta(1, 4, size=100)
        a, b, c = (heard(chance * share, words, generator) for share in (1, 1, 0.7))
        alarms += compare(references, a, b, seed=run, resamples=200).verdict != "no evidence of a difference"
        found += compare(references, a, c, seed=run, resamples=200).verdict == "better"
    assert alarms / runs <= 0.09
    assert found / runs >= 0.7


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


def test_the_same_seed_gives_the_same_interval_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    references, hypotheses = ["a b c", "d e", "f"] * 10, ["a b x", "d e", ""] * 10
    whole = score(references, hypotheses, seed=3)
    monkeypatch.setattr("hf_asr.evaluation.metrics.CHUNK", 70)
    assert score(references, hypotheses, seed=3) == whole
    assert score(references, hypotheses, seed=4) != whole


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
