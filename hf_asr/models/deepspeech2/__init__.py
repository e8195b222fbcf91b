"""DeepSpeech2, built here from the STFT up: the network to compare a pretrained one with.

Its files are saved with its weights, so that `pipeline(..., trust_remote_code=True)` needs nothing of this package.
"""

from collections.abc import Callable

from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForCTC

from hf_asr.models.deepspeech2.configuration_deepspeech2 import DeepSpeech2Config
from hf_asr.models.deepspeech2.feature_extraction_deepspeech2 import DeepSpeech2FeatureExtractor
from hf_asr.models.deepspeech2.modeling_deepspeech2 import DeepSpeech2ForCTC

__all__ = ["DeepSpeech2Config", "DeepSpeech2FeatureExtractor", "DeepSpeech2ForCTC", "extractor_for"]

AutoConfig.register("deepspeech2", DeepSpeech2Config)
AutoModelForCTC.register(DeepSpeech2Config, DeepSpeech2ForCTC)
AutoFeatureExtractor.register(DeepSpeech2Config, DeepSpeech2FeatureExtractor)
for kind, auto in (
    (DeepSpeech2Config, "AutoConfig"),
    (DeepSpeech2ForCTC, "AutoModelForCTC"),
    (DeepSpeech2FeatureExtractor, "AutoFeatureExtractor"),
):
    register: Callable[[str], None] = kind.register_for_auto_class
    register(auto)  # save_pretrained then writes the code beside the weights


def extractor_for(config: DeepSpeech2Config) -> DeepSpeech2FeatureExtractor:
    """The features a network of this shape is trained on."""
    return DeepSpeech2FeatureExtractor(
        feature_size=config.num_mel_bins,
        hop_length=config.hop_length,
        normalise="fixed" if config.streaming else "utterance",
    )
