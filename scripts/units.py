"""Prints the figures of docs/units.md: characters, subwords and phonemes of the embedded prompts. Needs espeak-ng."""

import tempfile
from collections import Counter
from pathlib import Path

import jiwer

from hf_asr.data.clips import load_clips
from hf_asr.recipe import Units
from hf_asr.recipe import file as recipe_file
from hf_asr.text import vocabulary
from hf_asr.text.pronunciation import Pronunciations, in_words, pronounce

KINDS = {
    "characters": Units(),
    "100 subwords": Units(kind="subword", size=100),
    "256 subwords": Units(kind="subword", size=256),
    "phonemes": None,
}


def main() -> None:
    recipe = recipe_file.load("quickstart", ())
    clips = load_clips(recipe.data, recipe.text, recipe.language)
    train, test, seconds = clips.train["text"][:], clips.test["text"][:], sum(clips.train["seconds"])
    lexicon, _ = pronounce(train, [], None, recipe.language)
    for name, units in KINDS.items():
        learned = vocabulary.phonemes(lexicon) if units is None else vocabulary.build(train, units)
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = vocabulary.ctc_tokenizer(learned, Path(folder))
        encode = vocabulary.encoder(tokenizer)
        labels = sum(len(encode(text)) for text in train)
        spelled = " ".join(tokenizer.convert_ids_to_tokens(encode("please enter your number")))
        print(f"| {name} | {len(learned.tokens) - 3} | {labels:,} | {labels / seconds:.1f} | `{spelled}` |")
    words, spoken = Counter(" ".join(train).split()), " ".join(test).split()
    print(f"train: {sum(words.values()):,} words, {len(words)} different; {in_words(lexicon)}")
    second = sum(words[word] for shared in lexicon.words.values() for word in shared[1:])
    print(f"words of train that are not the most frequent of those that are said so: {second}")
    print(f"test: {len(spoken)} words, {sum(word not in words for word in spoken)} of them not in train")
    more, _ = pronounce(train, test, None, recipe.language)
    for name, known in (("train", lexicon), ("train and test", more)):
        print(f"WER of faultless phonemes through a lexicon of {name}: {faultless(test, more, known):.1%}")


def faultless(texts: list[str], said: Pronunciations, known: Pronunciations) -> float:
    """The WER of texts that were heard without a mistake in the phonemes, and read greedily."""
    heard = [" ".join(known.nearest(said.of[word][0]) for word in text.split()) for text in texts]
    return float(jiwer.wer(texts, heard))


if __name__ == "__main__":
    main()
