"""Our n-gram models against those of KenLM's lmplz: the same text, order, and discounts; every probability compared.

    ./scripts/bench lmplz PROGRAM [--text FILE] [--order 3 5] [--every 1]

PROGRAM is lmplz, which the kenlm package does not bring. Its source does (cmake, a C++ compiler, boost):

    pip download kenlm --no-binary kenlm --no-deps && tar xzf kenlm-*.tar.gz && cmake -S kenlm-*/ -B build
    make -C build lmplz                                                        build/bin/lmplz

FILE: a sentence a line; without it those of six Austen novels (Debian's r-cran-janeaustenr), in lower case, without
punctuation. Every tenth is held out for perplexity. Time and peak memory are those of a process of its own that
makes an ARPA file of a text file, once for each.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hf_asr.decoding import arpa
from hf_asr.decoding.ngram import NGram, log10_probability, perplexity
from hf_asr.recipe import Text
from hf_asr.text.normalise import normalise

sys.path.append(str(Path(__file__).resolve().parents[1]))
PLAIN = Text(case="lower", punctuation="strip")
OURS = """
import sys
from pathlib import Path
from hf_asr.decoding import arpa
from hf_asr.decoding.kneser_ney import estimate
found = estimate(Path(sys.argv[1]).read_text(encoding="utf-8").split("\\n")[:-1], int(sys.argv[2]))
arpa.write(found.model, Path(sys.argv[3]))
"""
METER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


class Cost(NamedTuple):
    seconds: float  # CPU, its own and the system's
    mebibytes: float  # the most that was resident


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--order", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--every", type=int, default=1, help="only every so many sentences")
    given = parser.parse_args()
    texts = sentences(given.text)[:: given.every]
    held_out = texts[9::10]
    texts = [text for place, text in enumerate(texts) if place % 10 != 9]
    words = sum(len(text.split()) for text in texts)
    print(f"{len(texts):,} sentences, {words:,} words; held out {len(held_out):,} sentences\n")
    print(f"| order | | n-grams | CPU s | peak MiB | ARPA bytes | perplexity |\n|{'---|' * 7}")
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text.txt")
        text.write_text("".join(f"{line}\n" for line in texts), encoding="utf-8")
        told = [compare(order, text, held_out, given.program, Path(folder)) for order in given.order]
    print("\n" + "\n".join(told))


def sentences(path: Path | None) -> list[str]:
    if path is not None:
        return path.read_text(encoding="utf-8").split("\n")[:-1]
    from make_speech import novels

    return list(filter(None, (normalise(text, PLAIN, "en") for text in novels())))


def compare(order: int, text: Path, held_out: Sequence[str], lmplz: Path, folder: Path) -> str:
    """Rows of the table; and a line about how far the two are apart."""
    files = [folder / "ours.arpa", folder / "theirs.arpa"]
    ours = [sys.executable, "-c", OURS, str(text), str(order), str(files[0])]
    theirs = [str(lmplz), "-o", str(order), "--discount_fallback", "-S", "1G", "-T", str(folder)]
    theirs += ["--text", str(text), "--arpa", str(files[1])]
    models = []
    for name, command, file in zip(("ours", "lmplz"), (ours, theirs), files, strict=True):
        cost, model = measured(command), arpa.read(file)
        value = perplexity(model, held_out)
        print(
            f"| {order} | {name} | {sum(model.counts):,} | {cost.seconds:.1f} | {cost.mebibytes:,.0f} |"
            f" {file.stat().st_size:,} | {value:.4f} |",
            flush=True,
        )
        models.append(model)
    return f"order {order}: {differences(*models)}{with_kenlm(files[0], models[0], held_out)}"


def measured(command: Sequence[str]) -> Cost:
    """By a small process between: Linux counts what the process that starts another holds as the other's, too."""
    done = subprocess.run([sys.executable, "-c", METER, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr}")
    seconds, kibibytes = done.stdout.split()
    return Cost(float(seconds), int(kibibytes) / 2**10)


def differences(ours: NGram, theirs: NGram) -> str:
    a, b = dict(rows(ours)), dict(rows(theirs))
    apart = np.array([np.abs(np.subtract(a[key], b[key])) for key in a.keys() & b.keys()])
    return (
        f"n-grams in one file alone: {len(a.keys() ^ b.keys())} of {len(b):,}; largest difference of any log10:"
        f" probability {apart[:, 0].max():.1e}, back-off weight {apart[:, 1].max():.1e}"
    )


def rows(model: NGram) -> Iterator[tuple[str, tuple[float, float]]]:
    """Every n-gram, log10 of its probability and of its back-off weight."""
    words, before, start = list(model.words), [""], 0
    for first, end in zip(model.first[:-1], model.first[1:], strict=True):
        histories, last = np.divmod(model.trie.keys[first:end], len(words))
        texts = [f"{before[h]} {words[w]}" for h, w in zip((histories - start).tolist(), last.tolist(), strict=True)]
        numbers = (model.trie.log10[first:end].tolist(), model.trie.backoff[first:end].tolist())
        yield from zip(texts, zip(*numbers, strict=True), strict=True)
        before, start = texts, first


def with_kenlm(path: Path, ours: NGram, held_out: Sequence[str]) -> str:
    """How far the kenlm package is from our reading of our own file."""
    if not importlib.util.find_spec("kenlm"):
        return ""
    import kenlm

    model = kenlm.Model(str(path))
    apart = np.abs(np.array([model.score(text) for text in held_out]) - log10_probability(ours, held_out))
    return f"; kenlm on our file: sentences differ by up to {apart.max():.1e}"


if __name__ == "__main__":
    main()
