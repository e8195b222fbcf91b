"""DeepSpeech2: its parts against independent implementations, padding, streaming, and loading without this package."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForCTC
from transformers.audio_utils import mel_filter_bank

from hf_asr import recipe
from hf_asr.decoding.ctc import log_posteriors
from hf_asr.models import checkpoints
from hf_asr.models.deepspeech2 import DeepSpeech2FeatureExtractor, extractor_for
from hf_asr.models.deepspeech2.feature_extraction_deepspeech2 import mel_filters
from hf_asr.models.deepspeech2.modeling_deepspeech2 import (
    DeepSpeech2ForCTC,
    Lookahead,
    Recurrent,
    SequenceNorm,
    own_frames,
)
from hf_asr.models.head import Written, with_head
from hf_asr.models.recogniser import frame_counter
from hf_asr.text import vocabulary
from tests import small

LENGTHS = (16_000, 40_123, 9_000, 300)


def network(**config: object) -> DeepSpeech2ForCTC:
    torch.manual_seed(0)
    given = {"hidden_size": 24, "num_hidden_layers": 2, "conv_channels": 4, "lookahead": 3, **config}
    made = AutoModelForCTC.from_config(AutoConfig.for_model("deepspeech2", vocab_size=9, **given))
    with torch.no_grad():  # statistics as after some training
        for module in made.modules():
            if isinstance(module, SequenceNorm):
                module.running_mean.normal_(std=0.3)
                module.running_var.uniform_(0.5, 2)
    return made.eval()  # type: ignore[no-any-return]


def clips(*lengths: int) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [draw.normal(scale=0.1, size=length).astype(np.float32) for length in lengths]


def test_the_spectrogram_is_that_of_the_formula() -> None:
    """Frame by frame with numpy's discrete Fourier transform written out, in float64."""
    (wave,) = clips(4_000)
    extractor = DeepSpeech2FeatureExtractor(normalise="fixed")
    heard = extractor(wave, sampling_rate=16_000)["input_features"][0].numpy()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(400)) / 512)
    filters = mel_filters(80, 512, 16_000).numpy().astype(np.float64)
    starts = range(0, 4_000 - 400 + 1, 160)
    expected = [
        np.log(np.abs(turns @ (wave[at : at + 400].astype(np.float64) * window)) ** 2 @ filters + 1e-6) for at in starts
    ]
    assert heard.shape == (23, 80)
    assert np.abs(heard * 5 - 5 - np.array(expected)).max() < 1e-5 * np.abs(expected).max()
    deviation = np.std(expected, axis=0)
    own = DeepSpeech2FeatureExtractor()(wave, sampling_rate=16_000)["input_features"][0].numpy()
    assert np.abs(own - (expected - np.mean(expected, axis=0)) / deviation).max() < 1e-4


def test_mel_filters_are_those_of_transformers() -> None:
    theirs = mel_filter_bank(257, 80, 0, 8_000, 16_000, norm=None, mel_scale="htk")
    assert np.abs(mel_filters(80, 512, 16_000).numpy() - theirs).max() < 1e-5


def test_each_clip_is_normalised_over_its_own_frames() -> None:
    waves = [wave * gain for wave, gain in zip(clips(*LENGTHS[:3]), (1, 0.1, 3), strict=True)]
    together = DeepSpeech2FeatureExtractor()(waves, sampling_rate=16_000)
    for wave, features, mask in zip(waves, together["input_features"], together["attention_mask"], strict=True):
        own = features[: mask.sum()]
        assert own.mean(0).abs().max() < 1e-4
        assert (own.std(0, correction=0) - 1).abs().max() < 1e-2
        assert not features[mask.sum() :].any()
        alone = DeepSpeech2FeatureExtractor()(wave, sampling_rate=16_000)["input_features"][0]
        assert torch.allclose(alone, own, atol=1e-5)


def test_audio_at_another_rate_is_told() -> None:
    with pytest.raises(ValueError, match="resample it first"):
        DeepSpeech2FeatureExtractor()(clips(100)[0], sampling_rate=8_000)


@pytest.mark.parametrize("streaming", [False, True])
def test_padding_changes_nothing(streaming: bool) -> None:
    made = network(streaming=streaming)
    extractor, waves = extractor_for(made.config), clips(*LENGTHS)
    together = made(**extractor(waves, sampling_rate=16_000)).logits
    for wave, found in zip(waves, together, strict=True):
        alone = made(**extractor(wave, sampling_rate=16_000)).logits[0]
        assert len(alone) == made._get_feat_extract_output_lengths(extractor.frames(len(wave)))
        assert torch.allclose(found[: len(alone)], alone, atol=1e-5)


@pytest.mark.parametrize("streaming", [False, True])
def test_padding_changes_nothing_in_training(streaming: bool) -> None:
    """Nor what is learned from it, nor the statistics that are kept."""
    heard = extractor_for(network(streaming=streaming).config)(clips(*LENGTHS), sampling_rate=16_000)
    found = []
    for more in (0, 37):
        made = network(streaming=streaming).train()
        features = nn.functional.pad(heard["input_features"], (0, 0, 0, more), value=7.0)
        mask = nn.functional.pad(heard["attention_mask"], (0, more))
        labels = torch.tensor([[3, 4, 5], [6, 6, -100], [7, -100, -100], [-100, -100, -100]])
        out = made(features, attention_mask=mask, labels=labels)
        out.loss.backward()
        kept = [value for name, value in made.named_buffers() if "running" in name]
        found.append((out.loss, *(weight.grad for weight in made.parameters()), *kept))
    for before, after in zip(*found, strict=True):
        assert (before - after).norm() <= 1e-4 * before.norm() + 1e-7


def test_sequence_norm_is_batch_norm_without_the_padding() -> None:
    hidden, lengths = torch.randn(3, 5, 7) * 3 + 1, torch.tensor([7, 2, 4])
    mask = own_frames(7, lengths)
    ours, theirs = SequenceNorm(5), nn.BatchNorm1d(5)
    for _ in range(2):  # trained twice, then evaluated
        assert torch.allclose(ours(hidden, mask).transpose(1, 2)[mask], theirs(hidden.transpose(1, 2)[mask]), atol=1e-5)
    assert torch.allclose(ours.running_var, theirs.running_var)
    ours.eval(), theirs.eval()
    assert torch.allclose(ours(hidden, mask).transpose(1, 2)[mask], theirs(hidden.transpose(1, 2)[mask]), atol=1e-5)


def test_both_directions_are_those_of_a_packed_gru() -> None:
    layer, theirs = Recurrent(6, 4, both=True), nn.GRU(6, 4, batch_first=True, bidirectional=True)
    layer.eval()
    assert layer.back is not None
    for ours, end in ((layer.forth, ""), (layer.back, "_reverse")):
        for name, weight in ours.named_parameters():
            getattr(theirs, name + end).data.copy_(weight)
    hidden, lengths = torch.randn(3, 9, 6), torch.tensor([4, 9, 1])
    with torch.no_grad():
        scaled = layer.norm(hidden.transpose(1, 2), own_frames(9, lengths)).transpose(1, 2)
        packed = nn.utils.rnn.pack_padded_sequence(scaled, lengths, batch_first=True, enforce_sorted=False)
        expected = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)[0]
        found = layer(hidden, lengths)
    for clip, length in enumerate(lengths):
        assert torch.allclose(
            found[clip, :length], expected[clip, :length, :4] + expected[clip, :length, 4:], atol=1e-6
        )


def test_lookahead_is_that_of_the_formula() -> None:
    layer, hidden = Lookahead(2, 3), torch.randn(1, 6, 2)
    weight = layer.convolution.weight.detach()[:, 0]  # [features, frames + 1]
    expected = torch.zeros(6, 2)
    for frame in range(6):
        for ahead in range(4):
            if frame + ahead < 6:
                expected[frame] += weight[:, ahead] * hidden[0, frame + ahead]
    assert torch.allclose(layer(hidden)[0], expected, atol=1e-6)


@pytest.mark.parametrize("chunk", [1_600, 37, 161, 733, 50_000])
def test_streamed_is_offline(chunk: int) -> None:
    made = network(streaming=True)
    extractor = extractor_for(made.config)
    for wave in clips(*LENGTHS, 0, 399, 400, 559, 560)[:: 1 if chunk > 100 else 3]:
        offline = made(**extractor(wave, sampling_rate=16_000)).logits[0]
        stream = made.stream(extractor)
        parts = [stream.push(wave[at : at + chunk]) for at in range(0, len(wave), chunk)] + [stream.finish()]
        streamed = torch.cat(parts)
        assert streamed.shape == offline.shape
        assert torch.allclose(streamed, offline, atol=1e-5)
        if len(wave) == 40_123 and chunk == 1_600:
            assert all(len(part) for part in parts[6:])  # nothing waits longer than it must


def test_a_network_that_hears_whole_clips_does_not_stream() -> None:
    made = network()
    with pytest.raises(ValueError, match="whole clips"):
        made.stream(extractor_for(made.config))


def test_sizes() -> None:
    """The Keras example for LJSpeech has about 27 million parameters."""
    with torch.device("meta"):
        counts = [
            sum(weight.numel() for weight in AutoModelForCTC.from_config(config).parameters()) / 1e6
            for config in (AutoConfig.for_model("deepspeech2", size=size) for size in ("small", "base", "large"))
        ]
    assert counts == pytest.approx([3.8, 26.1, 86.1], abs=0.1)


@pytest.mark.parametrize(
    ("given", "told"), [({"size": "huge"}, "small, base, large"), ({"conv_kernels": [[10, 21], [5, 11]]}, "odd")]
)
def test_a_shape_that_cannot_be(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        AutoConfig.for_model("deepspeech2", **given)


def test_a_tune_is_learned() -> None:
    """Four tones are four letters: the order in which they sound must come out as text."""
    torch.manual_seed(0)
    made = network(hidden_size=32).train()
    extractor, draw = extractor_for(made.config), np.random.default_rng(0)
    optimiser = torch.optim.AdamW(made.parameters(), 3e-3)

    def tune(letters: Tensor) -> np.ndarray:
        times = np.arange(2_000) / 16_000
        waves = [np.sin(2 * np.pi * 300 * 2 ** int(letter) * times) for letter in letters]
        return np.concatenate(waves).astype(np.float32) + draw.normal(scale=0.01, size=2_000 * len(waves)).astype("f")

    for _ in range(60):
        letters = torch.from_numpy(draw.integers(4, size=(8, 5)))
        heard = extractor([tune(one) for one in letters], sampling_rate=16_000)
        loss = made(**heard, labels=letters + 2).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    letters = torch.tensor([0, 2, 1, 3, 0])
    path = made.eval()(**extractor(tune(letters), sampling_rate=16_000)).logits[0].argmax(-1)
    said = [int(unit) for unit in torch.unique_consecutive(path) if unit]
    assert said == (letters + 2).tolist()


def test_frames_are_counted_and_batches_read_as_clips_alone(tmp_path: Path) -> None:
    recogniser = saved(tmp_path)[1]
    counter, waves = frame_counter(recogniser), clips(*LENGTHS)
    assert counter is not None
    for wave, frames in zip(waves, log_posteriors(recogniser, waves), strict=True):
        assert len(frames) == counter(len(wave))
        assert torch.allclose(frames, log_posteriors(recogniser, [wave])[0], atol=1e-5)


def test_pipeline_reads_it_in_a_process_without_hf_asr(tmp_path: Path) -> None:
    folder, recogniser = saved(tmp_path)
    done = small.plain_pipeline(folder, clips(40_123)[0], tmp_path, trust=True)
    assert done.returncode == 0, done.stderr
    path = log_posteriors(recogniser, clips(40_123))[0].argmax(-1)
    assert done.stdout.strip() == recogniser.processor.tokenizer.decode(path.tolist()).strip()
    untrusted = small.plain_pipeline(folder, clips(40_123)[0], tmp_path)
    assert untrusted.returncode != 0
    assert "trust_remote_code" in untrusted.stderr


def saved(tmp_path: Path) -> tuple[Path, checkpoints.Recogniser]:
    """A model folder as a run leaves it, and the same read back."""
    settings = recipe.Model(from_scratch={"model_type": "deepspeech2", "hidden_size": 24, "num_hidden_layers": 1})
    torch.manual_seed(0)
    fresh = checkpoints.load(settings, recipe.Whisper(), "en")
    units = vocabulary.ctc_tokenizer(vocabulary.build(["the letters"], recipe.Units()), tmp_path / "units")
    written = Written(units, vocabulary.encoder(units), kept=False)
    headed = with_head(fresh, written)
    headed.model.lm_head.weight.data.normal_()  # so that something is said
    checkpoints.save(headed, tmp_path / "model", 1)
    read = checkpoints.from_folder(str(tmp_path / "model"), recipe.Whisper(), "en")
    read.model.eval()
    assert isinstance(AutoFeatureExtractor.from_pretrained(tmp_path / "model"), DeepSpeech2FeatureExtractor)
    return tmp_path / "model", read
