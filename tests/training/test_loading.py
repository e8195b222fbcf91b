"""What the loader hands to the network: changed from a seed of its own, alignable still, and never too long."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from datasets import Audio, Dataset
from torch.utils.data import DataLoader
from transformers import (
    AutoConfig,
    AutoModelForCTC,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)

from hf_asr.data.audio import decode
from hf_asr.data.check import frames_needed
from hf_asr.data.tables import DataError
from hf_asr.models.recogniser import CheckpointError, Recogniser, frame_counter
from hf_asr.recipe import Recipe
from hf_asr.recipe.augment import Augment, Noise, Reverb, SpecAugment
from hf_asr.training.batches import Pick, Plan
from hf_asr.training.loading import MASKS, WAVEFORM, Loaded, TrainingClips, collate
from hf_asr.training.masks import spec_augment
from hf_asr.training.prepare import prepare
from tests.small import RECIPE, ROOT

RATE = 16_000
EVERYTHING = Augment(
    speed=(0.9, 1.1), gain_db=(-10, 5), noise=Noise(share=0.9), reverb=Reverb(share=0.5), telephone=0.3
)
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 12}
HEARS_WAVES = {**SMALL, "conv_dim": [8] * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}


def letters(text: str) -> list[int]:
    return [ord(letter) - 96 for letter in text if letter.isalpha()]


@pytest.fixture(scope="module")
def table() -> Dataset:
    paths = sorted((ROOT / "hf_asr/assets/prompts-en/clips").iterdir())[:12]
    rows = {"id": [path.stem for path in paths], "audio": [str(path) for path in paths], "text": ["abba"] * len(paths)}
    return Dataset.from_dict(rows).cast_column("audio", Audio(decode=False))


def network(kind: str, **config: object) -> Recogniser:
    own = SMALL if kind == "wav2vec2-bert" else {**HEARS_WAVES, "feat_extract_norm": "layer"}
    model = AutoModelForCTC.from_config(AutoConfig.for_model(kind, **{**own, **config}))
    extractor = (
        SeamlessM4TFeatureExtractor()
        if kind == "wav2vec2-bert"
        else Wav2Vec2FeatureExtractor(return_attention_mask=True)
    )
    return Recogniser("ctc", model, SimpleNamespace(feature_extractor=extractor, tokenizer=None), letters)


@pytest.fixture(scope="module")
def whisper() -> Recogniser:
    tokenizer = SimpleNamespace(eos_token_id=50_256)
    processor = SimpleNamespace(feature_extractor=WhisperFeatureExtractor(), tokenizer=tokenizer)
    return Recogniser("whisper", None, processor, letters, prefix=(1, 2))


def same(one: Loaded, other: Loaded) -> bool:
    assert one.samples is not None and other.samples is not None
    return np.array_equal(one.samples, other.samples) and one.labels == other.labels and one.id == other.id


# seeds


def test_without_settings_a_clip_is_what_is_stored(table: Dataset) -> None:
    for settings in (None, Augment(), Augment(spec_augment=SpecAugment())):
        clips = TrainingClips(table, letters, settings, seed=3)
        for index in range(4):
            found = clips[Pick(index, 5, 0.0)].samples
            assert found is not None
            assert found.tobytes() == decode(table[index]["audio"]).tobytes()


def test_a_clip_follows_from_seed_epoch_and_clip_alone(table: Dataset) -> None:
    picks = [Pick(index, epoch, 0.0) for epoch in range(2) for index in range(len(table))]
    clips = TrainingClips(table, letters, EVERYTHING, seed=3)
    forward = {pick: clips[pick] for pick in picks}
    later = TrainingClips(table, letters, EVERYTHING, seed=3)  # as a resumed run has it: from the middle on, elsewhere
    for pick in reversed(picks[7:]):
        assert same(later[pick], forward[pick])
    for index in range(len(table)):
        assert not same(forward[Pick(index, 0, 0.0)], forward[Pick(index, 1, 0.0)])
    other_run = TrainingClips(table, letters, EVERYTHING, seed=4)
    assert not any(same(other_run[pick], forward[pick]) for pick in picks)


def test_the_global_generators_have_no_part_in_it(table: Dataset) -> None:
    clips = TrainingClips(table, letters, EVERYTHING)
    np.random.seed(1)
    torch.manual_seed(1)
    first = clips[Pick(0, 0, 0.0)]
    state = np.random.get_state()[1].tolist()
    np.random.seed(2)
    torch.manual_seed(2)
    assert same(clips[Pick(0, 0, 0.0)], first)
    np.random.seed(1)
    assert np.random.get_state()[1].tolist() == state


def test_workers_change_nothing(table: Dataset, whisper: Recogniser) -> None:
    clips = TrainingClips(table, letters, EVERYTHING)
    steps = [[Pick(0, 0, 9.0), Pick(1, 0, 9.0)], [Pick(2, 1, 9.0)], [Pick(3, 1, 9.0), Pick(0, 1, 9.0)]]

    def features(workers: int) -> list[torch.Tensor]:
        loader = DataLoader(
            clips,
            batch_sampler=steps,
            collate_fn=collate(whisper, SpecAugment()),
            num_workers=workers,
            multiprocessing_context="fork" if workers else None,
        )
        return [batch["input_features"] for batch in loader]

    assert all(torch.equal(one, other) for one, other in zip(features(0), features(2), strict=True))


def test_what_an_epoch_repeats_is_not_the_same_twice(table: Dataset) -> None:
    plan = Plan(np.full(4, 2.0), np.array([3.0, 1.0, 2.0, 0.5]), batch_seconds=6, parts=1, seed=0)
    picks = [pick for step in plan.epoch(0) for pick in step]
    assert sorted(pick.turn for pick in picks if pick.index == 0) == [0, 1, 2]
    assert sorted(pick.turn for pick in picks if pick.index == 2) == [0, 1]
    clips = TrainingClips(table, letters, EVERYTHING)
    first, second, third = (clips[pick] for pick in sorted(picks, key=lambda p: p.turn) if pick.index == 0)
    assert not same(first, second) and not same(second, third)
    assert len({first.seed, second.seed, third.seed}) == 3


def test_waveform_and_masks_draw_from_streams_of_their_own(table: Dataset) -> None:
    clips = TrainingClips(table, letters, EVERYTHING, seed=2)
    picks = [Pick(index, epoch, 0.0, turn) for index in range(3) for epoch in range(3) for turn in range(3)]
    streams = [clips._stream(pick, number) for pick in picks for number in (WAVEFORM, MASKS)]
    first = {tuple(np.random.default_rng(stream).random(3)) for stream in streams}
    plans = {tuple(np.random.default_rng([2, epoch]).random(3)) for epoch in range(3)}
    assert len(first) == len(streams)
    assert not first & plans


# other clips


def test_babble_is_of_other_clips_only(table: Dataset) -> None:
    clips = TrainingClips(table.select(range(3)), letters, EVERYTHING)
    stored = [decode(table[index]["audio"]) for index in range(3)]
    for index in range(3):
        found = [clips._another(index, np.random.default_rng(seed)) for seed in range(20)]
        drawn = {next(n for n in range(3) if np.array_equal(stored[n], one)) for one in found}
        assert drawn == {0, 1, 2} - {index}


def test_a_single_clip_has_no_babble_and_a_broken_one_gives_none(table: Dataset, tmp_path: Path) -> None:
    babble = Augment(noise=Noise(share=1, kinds=("babble",)))
    alone = TrainingClips(table.select([0]), letters, babble)[Pick(0, 0, 0.0)]
    assert np.array_equal(alone.samples, decode(table[0]["audio"]))
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    rows = {"id": ["a", "b"], "audio": [table[0]["audio"]["path"], str(tmp_path / "broken.wav")], "text": ["a", "b"]}
    clips = TrainingClips(Dataset.from_dict(rows).cast_column("audio", Audio(decode=False)), letters, babble)
    assert np.array_equal(clips[Pick(0, 0, 0.0)].samples, alone.samples)
    assert clips[Pick(1, 0, 0.0)].samples is None


def test_a_broken_noise_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    augment = {"noise": {"folder": str(tmp_path)}}
    given = {**RECIPE, "training": {"max_steps": 1, "augment": augment}, "data": {"sources": [{"path": "nowhere"}]}}
    with pytest.raises(DataError, match=r"training\.augment\.noise\.folder: broken\.wav is not a recording"):
        prepare(Recipe.model_validate(given))


# lengths


@pytest.mark.parametrize("kind", ["wav2vec2", "wav2vec2-bert"])
def test_a_faster_clip_can_still_be_aligned(kind: str, tmp_path: Path) -> None:
    seconds = 1.4
    soundfile.write(tmp_path / "clip.wav", np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE)), RATE)
    frames = frame_counter(network(kind))
    assert frames is not None
    whole = frames(round(seconds * RATE))
    for spare in (0, 3, whole // 3):
        text = ("ab" * whole)[: whole - spare - 1] if spare else ("ab" * whole)[:whole]
        needed = frames_needed(letters(text))
        assert needed <= whole
        rows = {"id": ["a"], "audio": [str(tmp_path / "clip.wav")], "text": [text]}
        table = Dataset.from_dict(rows).cast_column("audio", Audio(decode=False))
        clips = TrainingClips(table, letters, Augment(speed=(1.5, 1.6)), frames=frames)
        lengths = [len(clips[Pick(0, epoch, 0.0)].samples) for epoch in range(5)]
        assert all(frames(length) >= needed for length in lengths)
        assert frames(min(lengths) - 1) < needed or round(min(lengths)) >= round(seconds * RATE / 1.6)
        assert max(lengths) <= seconds * RATE


def test_a_slower_clip_stays_inside_whispers_window(table: Dataset, whisper: Recogniser) -> None:
    slow = TrainingClips(table, letters, Augment(speed=(0.5, 0.5)))
    for index in range(len(table)):
        given = len(decode(table[index]["audio"]))
        for window in (given / RATE + 0.5, 30.0):
            clip = slow[Pick(index, 0, window)]
            assert len(clip.samples) == min(int(window * RATE), 2 * given)
            features = collate(whisper)([clip])["input_features"]
            assert features.shape[-1] == round(window * RATE) // 160


def test_a_lost_clip_stays_lost(tmp_path: Path) -> None:
    rows = {"id": ["gone"], "audio": [str(tmp_path / "gone.wav")], "text": ["a"]}
    clips = TrainingClips(Dataset.from_dict(rows).cast_column("audio", Audio(decode=False)), letters, EVERYTHING)
    assert clips[Pick(0, 0, 0.0)].samples is None


# masks


def loaded(seconds: float, number: int, window: float = 0.0) -> Loaded:
    samples = np.random.default_rng(number).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
    return Loaded(str(number), samples, [1, 2], window, (0, 0, number, 2))


WIDE = SpecAugment(time_masks=2, time_share=0.3, channel_masks=2, channel_share=0.4)


def test_whisper_is_masked_within_the_clip_only(whisper: Recogniser) -> None:
    clips = [loaded(seconds, number, 8.0) for number, seconds in enumerate((3.0, 5.5, 7.95))]
    plain, masks = (collate(whisper, given)(clips)["input_features"] for given in (None, WIDE))
    for clip, before, after in zip(clips, plain, masks, strict=True):
        own = -(-len(clip.samples) // 160)
        assert torch.equal(before[:, own:], after[:, own:])
        changed = before[:, :own] != after[:, :own]
        assert 0 < changed.float().mean() < 0.95
        assert torch.allclose(after[:, :own][changed], before[:, :own].mean(), atol=1e-4)
    alone = collate(whisper, WIDE)([clips[1]])["input_features"]
    assert torch.equal(alone[0], masks[1])  # masks do not depend on the other clips of a batch


def test_w2v_bert_is_masked_in_mel_channels_and_within_the_clip() -> None:
    recogniser = network("wav2vec2-bert")
    clips = [loaded(seconds, number) for number, seconds in enumerate((1.0, 2.5, 3.0))]
    only_channels = SpecAugment(time_masks=0, channel_masks=1, channel_share=0.5)
    for settings in (WIDE, only_channels):
        plain, masks = (collate(recogniser, given)(clips) for given in (None, settings))
        assert torch.equal(plain["attention_mask"], masks["attention_mask"])
        for before, after, heard in zip(
            plain["input_features"], masks["input_features"], plain["attention_mask"].sum(-1), strict=True
        ):
            assert torch.equal(before[heard:], after[heard:])
            changed = before[:heard] != after[:heard]
            assert changed.any()
            if settings is only_channels:  # both halves of a stacked frame lose the same channels
                assert torch.equal(changed[:, :80], changed[:, 80:])
                assert torch.equal(changed.any(0), changed.all(0))


@pytest.mark.parametrize("family", ["whisper", "wav2vec2-bert"])
def test_masks_follow_the_seed_of_the_clip(family: str, whisper: Recogniser) -> None:
    recogniser = whisper if family == "whisper" else network(family)
    once = loaded(3.0, 1, 5.0)
    again, later = replace(once, seed=once.seed), replace(once, seed=(0, 1, 1, 2))
    first, second, third = collate(recogniser, WIDE)([once, again, later])["input_features"]
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_waves_are_padded_to_full_steps_and_the_padding_is_masked() -> None:
    clips = [Loaded(str(n), np.ones(n, np.float32) * np.arange(n), [1], 0.0) for n in (9_601, 4_800, 700)]
    for few, wide in ((clips, 14_400), (clips[1:], 4_800)):
        batch = collate(network("wav2vec2"))(few)
        assert batch["input_values"].shape == batch["attention_mask"].shape == (len(few), wide)
        assert batch["attention_mask"].sum(-1).tolist() == [len(clip.samples) for clip in few]
    mel = collate(network("wav2vec2-bert"))(clips)["input_features"]
    assert mel.shape[1] < 14_400 / 320


def test_waveforms_are_not_masked_in_the_batch() -> None:
    recogniser, clips = network("wav2vec2"), [loaded(1.0, 0), loaded(2.0, 1)]
    plain, masks = (collate(recogniser, given)(clips)["input_values"] for given in (None, WIDE))
    assert torch.equal(plain, masks)


@pytest.mark.parametrize("own", [0.05, 0.0])
@pytest.mark.parametrize("kind", ["wav2vec2", "hubert", "wavlm", "wav2vec2-conformer"])
def test_networks_that_hear_waves_mask_the_share_that_is_asked(kind: str, own: float) -> None:
    recogniser = network(kind, mask_time_prob=own, mask_time_min_masks=2, apply_spec_augment=own > 0)
    inner = recogniser.model.base_model
    before, keys = recogniser.model.config.to_dict(), set(recogniser.model.state_dict())
    settings = SpecAugment(time_masks=4, time_share=0.1)
    np.random.seed(0)
    with spec_augment(recogniser, settings):
        assert set(recogniser.model.state_dict()) == keys
        recogniser.model.train()
        hidden = inner._mask_hidden_states(torch.full((400, 500, 16), 7.0))
        masked = (hidden != 7).all(-1).float().mean()
        # spans lie on one another, too: 1 - exp(-0.2) of the frames
        assert masked == pytest.approx(0.18, abs=0.015)
        recogniser.model.eval()
        assert (inner._mask_hidden_states(torch.full((4, 500, 16), 7.0)) == 7).all()
    assert recogniser.model.config.to_dict() == before
    assert set(recogniser.model.state_dict()) == keys
    assert hasattr(inner, "masked_spec_embed") == (own > 0)


def test_a_short_clip_is_masked_by_its_share_too() -> None:
    # two masks at least, as transformers has it, would be 20 of these 49 frames, always
    recogniser = network("wav2vec2", mask_time_prob=0.05, mask_time_min_masks=2)
    recogniser.model.train()
    np.random.seed(0)
    with spec_augment(recogniser, SpecAugment(time_masks=1, time_share=0.2)):
        found = [
            (recogniser.model.base_model._mask_hidden_states(torch.full((4, 49, 16), 7.0)) != 7).all(-1).float().mean()
            for _ in range(300)
        ]
    assert np.mean(found) == pytest.approx(0.1, abs=0.03)


def test_the_configuration_comes_back_after_an_interruption() -> None:
    recogniser = network("wav2vec2", mask_time_prob=0.0)
    before = recogniser.model.config.to_dict()
    with pytest.raises(KeyboardInterrupt), spec_augment(recogniser, WIDE):
        raise KeyboardInterrupt
    assert recogniser.model.config.to_dict() == before


def test_mel_networks_do_not_mask_a_second_time() -> None:
    recogniser = network("wav2vec2-bert", apply_spec_augment=True, mask_time_prob=0.5)
    recogniser.model.train()
    with spec_augment(recogniser, WIDE):
        assert (recogniser.model.base_model._mask_hidden_states(torch.full((4, 500, 16), 7.0)) == 7).all()
    assert recogniser.model.config.apply_spec_augment


def test_without_settings_the_network_masks_as_its_configuration_says() -> None:
    recogniser = network("wav2vec2", mask_time_prob=0.5)
    recogniser.model.train()
    with spec_augment(recogniser, None):
        assert (recogniser.model.base_model._mask_hidden_states(torch.full((4, 500, 16), 7.0)) != 7).any()


def test_a_network_that_cannot_mask_says_so() -> None:
    plain = SimpleNamespace(config=SimpleNamespace(), base_model=torch.nn.Linear(1, 1), main_input_name="input_values")
    masks = spec_augment(Recogniser("ctc", plain, None, letters), WIDE)
    with pytest.raises(CheckpointError, match=r"spec_augment: Linear has no masks; leave it out"), masks:
        pass


def test_frames_of_changed_clips_are_their_own(table: Dataset) -> None:
    recogniser = network("wav2vec2")
    count: Callable[[int], int] | None = frame_counter(recogniser)
    assert count is not None
    clips = TrainingClips(table, letters, Augment(speed=(0.8, 1.2)), frames=count)
    batch = collate(recogniser)([clips[Pick(index, 0, 0.0)] for index in range(3)])
    assert batch["frames"].tolist() == [count(int(n)) for n in batch["attention_mask"].sum(-1)]
