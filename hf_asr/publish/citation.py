"""BibTeX of a run and of the published methods in it."""

import re
from collections.abc import Iterator

from hf_asr.publish.facts import Facts
from hf_asr.publish.markdown import hours

# key: (arXiv id, year, first author and company, title)
PAPERS = {
    "wav2vec2": (
        "2006.11477",
        2020,
        "Baevski, Alexei and Zhou, Henry and Mohamed, Abdelrahman and Auli, Michael",
        "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations",
    ),
    "deepspeech2": (
        "1512.02595",
        2015,
        "Amodei, Dario and others",
        "Deep Speech 2: End-to-End Speech Recognition in English and Mandarin",
    ),
    "wav2vec2-bert": (
        "2312.05187",
        2023,
        "{Seamless Communication}",
        "Seamless: Multilingual Expressive and Streaming Speech Translation",
    ),
    "hubert": (
        "2106.07447",
        2021,
        "Hsu, Wei-Ning and others",
        "HuBERT: Self-Supervised Speech Representation Learning by Masked Prediction of Hidden Units",
    ),
    "wavlm": (
        "2110.13900",
        2021,
        "Chen, Sanyuan and others",
        "WavLM: Large-Scale Self-Supervised Pre-Training for Full Stack Speech Processing",
    ),
    "data2vec-audio": (
        "2202.03555",
        2022,
        "Baevski, Alexei and others",
        "data2vec: A General Framework for Self-supervised Learning in Speech, Vision and Language",
    ),
    "unispeech": (
        "2101.07597",
        2021,
        "Wang, Chengyi and others",
        "UniSpeech: Unified Speech Representation Learning with Labeled and Unlabeled Data",
    ),
    "unispeech-sat": (
        "2110.05752",
        2021,
        "Chen, Sanyuan and others",
        "UniSpeech-SAT: Universal Speech Representation Learning with Speaker Aware Pre-Training",
    ),
    "sew": (
        "2109.06870",
        2021,
        "Wu, Felix and others",
        "Performance-Efficiency Trade-offs in Unsupervised Pre-training for Speech Recognition",
    ),
    "whisper": (
        "2212.04356",
        2022,
        "Radford, Alec and others",
        "Robust Speech Recognition via Large-Scale Weak Supervision",
    ),
    "xls-r": (
        "2111.09296",
        2021,
        "Babu, Arun and others",
        "XLS-R: Self-supervised Cross-lingual Speech Representation Learning at Scale",
    ),
    "mms": ("2305.13516", 2023, "Pratap, Vineel and others", "Scaling Speech Technology to 1,000+ Languages"),
    "lora": ("2106.09685", 2021, "Hu, Edward J. and others", "LoRA: Low-Rank Adaptation of Large Language Models"),
    "specaugment": (
        "1904.08779",
        2019,
        "Park, Daniel S. and others",
        "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition",
    ),
    "muon": ("2502.16982", 2025, "Liu, Jingyuan and others", "Muon is Scalable for LLM Training"),
}
KIN = {"sew-d": "sew"}


def papers(facts: Facts) -> Iterator[str]:
    """Keys of PAPERS for the network, its checkpoint and the ways it was trained."""
    kind = facts.model_type or ""
    if kind in PAPERS or kind in KIN:
        yield KIN.get(kind, kind)
    named = (facts.recipe.model.checkpoint or "").lower()
    yield from (key for key in ("xls-r", "mms") if re.search(rf"(?<![a-z]){key}(?![a-z])", named))
    if facts.recipe.model.lora is not None:
        yield "lora"
    if facts.recipe.training.optimizer == "muon":
        yield "muon"
    if facts.recipe.training.augment.spec_augment is not None:
        yield "specaugment"


def bibtex(facts: Facts) -> str:
    found = [_run(facts)]
    for key in papers(facts):
        identity, year, author, title = PAPERS[key]
        fields = {"title": f"{{{title}}}", "author": author, "year": str(year)}
        fields |= {"eprint": identity, "archivePrefix": "arXiv"}
        found.append(_entry(key.replace("-", ""), fields))
    return "\n\n".join(found)


def links(facts: Facts) -> str:
    """The same papers as links: the Hub files a model under the arXiv ids that its card links."""
    return ", ".join(f"[{PAPERS[key][3]}](https://arxiv.org/abs/{PAPERS[key][0]})" for key in papers(facts))


def _run(facts: Facts) -> str:
    start = facts.recipe.model.checkpoint or f"{facts.model_type or 'a network'} from random weights"
    length = hours(facts.train_hours).replace("\u00a0", "~")
    verb = "trained" if facts.from_scratch else "fine-tuned"
    fields = {"title": f"{{{_tex(facts.name)}: {_tex(start)}, {verb} on {length} of speech}}"}
    if facts.repository:
        fields |= {"author": f"{{{_tex(facts.repository.partition('/')[0])}}}"}
        fields |= {"howpublished": f"\\url{{https://huggingface.co/{facts.repository}}}"}
    version = facts.environment.get("versions", {}).get("hf-asr")
    fields["note"] = f"Made with hf-asr{f' {version}' if version else ''}"
    return _entry(re.sub(r"[^A-Za-z0-9]+", "-", facts.name), fields)


def _entry(key: str, fields: dict[str, str]) -> str:
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{key},\n{lines}\n}}"


def _tex(text: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", re.sub(r"[\\^~\"]", "", " ".join(text.split())))
