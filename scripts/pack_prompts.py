"""Pack the English prompts into hf_asr/assets/prompts-en, at most 8 MB, and measure what packing costs.

    python scripts/pack_prompts.py AUDIOFOLDER                       pack
    python scripts/pack_prompts.py AUDIOFOLDER --measure CHECKPOINT  pack, then compare with a Whisper checkpoint

Ogg Opus at level 0.9 (33 kbit/s), by measurement on the 550 clips of at most 30 s (22.0 min); WER of Whisper
tiny.en on every third of them, decoding in audio seconds per CPU second of one core:

    format              bytes        clips     WER %   decoding
    FLAC as given       26.0 MB      22.0 min  8.43    4800
    FLAC, most packed    8.0 MB       6.9 min  -       4850
    Opus 0.86 (43 kb)    7.1 MB      22.0 min  8.17     600
    Opus 0.90 (34 kb)    5.5 MB      22.0 min  8.05     660   <- chosen
    Opus 0.95 (21 kb)    3.5 MB      22.0 min  7.92     710   (0.51 away: a better WER is a change, too)

FLAC decodes seven times faster, but 8 MB hold a third of the clips, and 2 s of decoding are little beside an
epoch of training. The files say 16 kHz and libsndfile decodes them at the rate they say, so nothing is
resampled; stored as 48 kHz they would decode, with soxr to 16 kHz, at 290.

The same recordings and libsndfile give the same bytes.
"""

import argparse
import csv
import io
import re
import shutil
import time
from pathlib import Path

import soundfile

ASSETS = Path(__file__).resolve().parents[1] / "hf_asr" / "assets" / "prompts-en"
LEVEL = 0.9  # libsndfile: 0 is 256 kbit/s, 1 is 6 kbit/s
MAX_SECONDS = 30.0  # Whisper's window
MAX_BYTES = 8_000_000
MAX_WER_CHANGE = 0.005
MEASURED = 150  # clips

README = """# English prompts

{clips} recordings of one voice with their transcripts, {minutes:.1f} minutes, {bytes:,} bytes of Ogg Opus, in
`audiofolder` layout.

"Asterisk core sounds", Copyright 2003-2010 Allison Smith, CC-BY-SA 3.0; recorded by Allison Smith
(http://www.theivrvoice.com), financed by Digium, Inc. (http://www.digium.com). Distributed by Debian as
`asterisk-core-sounds-en-g722`. Source: http://downloads.asterisk.org/pub/telephony/asterisk/

Changed: transcoded, from G.722 to 16 kHz mono FLAC and from that to Ogg Opus (about {kbit:.0f} kbit/s) by
`scripts/pack_prompts.py`; {dropped} longer than {max_seconds:.0f} s left out
({names}); transcripts set beside the
recordings in `metadata.csv`. Nothing else.

These files, and what is derived from them, keep this licence (see `LICENSE`) and this attribution. The rest
of the package is under another licence (Apache-2.0).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audiofolder", type=Path, help="folder with metadata.csv (file_name, text, speaker)")
    parser.add_argument("--measure", type=Path, metavar="CHECKPOINT", help="folder of an English Whisper checkpoint")
    parser.add_argument("--level", type=float, default=LEVEL, help="Opus compression, 0 to 1 (default %(default)s)")
    parser.add_argument("--to", type=Path, default=ASSETS, help="default %(default)s")
    arguments = parser.parse_args()
    pack(arguments.audiofolder, arguments.to, arguments.level)
    measure_decoding(arguments.audiofolder, arguments.to)
    if arguments.measure:
        measure_wer(arguments.audiofolder, arguments.to, arguments.measure)


def pack(source: Path, target: Path, level: float) -> None:
    shutil.rmtree(target / "clips", ignore_errors=True)
    (target / "clips").mkdir(parents=True)
    rows, dropped = [], []
    for number, row in enumerate(sorted(read_rows(source), key=lambda row: row["file_name"])):
        samples, rate = soundfile.read(source / row["file_name"], dtype="float32")
        if len(samples) / rate > MAX_SECONDS:
            dropped.append(Path(row["file_name"]).stem)
            continue
        name = f"clips/{Path(row['file_name']).stem}.ogg"
        (target / name).write_bytes(with_serial(encode(samples, rate, level), number))
        seconds = soundfile.info(target / name).duration
        rows.append({"file_name": name, "text": row["text"], "speaker": row["speaker"], "seconds": f"{seconds:.3f}"})
    with (target / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    size = sum(path.stat().st_size for path in (target / "clips").iterdir())
    seconds = sum(float(row["seconds"]) for row in rows)
    facts = {"clips": len(rows), "minutes": seconds / 60, "bytes": size, "kbit": size * 8 / seconds / 1000}
    facts |= {"dropped": f"{len(dropped)} recordings", "max_seconds": MAX_SECONDS, "names": ", ".join(dropped)}
    (target / "README.md").write_text(README.format(**facts), encoding="utf-8")
    total = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{len(rows)} clips, {seconds / 60:.1f} min, {total:,} bytes in all; left out: {', '.join(dropped)}")
    if total > MAX_BYTES:
        raise SystemExit(f"more than {MAX_BYTES:,} bytes: raise --level")


def read_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def encode(samples, rate: int, level: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="OGG", subtype="OPUS", compression_level=level)
    return file.getvalue()


def with_serial(ogg: bytes, serial: int) -> bytes:
    """The same Ogg stream with this serial number (libsndfile draws one at random), checksums made anew."""
    pages, at = bytearray(ogg), 0
    while at < len(pages):
        segments = pages[at + 26]
        end = at + 27 + segments + sum(pages[at + 27 : at + 27 + segments])
        pages[at + 14 : at + 18] = serial.to_bytes(4, "little")
        pages[at + 22 : at + 26] = bytes(4)
        pages[at + 22 : at + 26] = checksum(pages[at:end]).to_bytes(4, "little")
        at = end
    return bytes(pages)


def checksum(page: bytes) -> int:
    """Ogg's CRC-32: polynomial 0x04c11db7, most significant bit first, nothing inverted (RFC 3533)."""
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ CRC[value >> 24 ^ byte]
    return value


def crc_entry(value: int) -> int:
    value <<= 24
    for _ in range(8):
        value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


CRC = [crc_entry(value) for value in range(256)]


def measure_decoding(source: Path, packed: Path) -> None:
    for folder, rows in pairs(source, packed):
        start = time.process_time()
        seconds = sum(len(samples) / rate for samples, rate in (soundfile.read(folder / row) for row in rows))
        spent = time.process_time() - start
        print(f"{folder.name} {Path(rows[0]).suffix}: {seconds / spent:.0f} audio seconds decoded per CPU second")


def pairs(source: Path, packed: Path) -> list[tuple[Path, list[str]]]:
    """The same clips in both folders, in the same order."""
    names = [row["file_name"] for row in read_rows(packed)]
    given = {Path(row["file_name"]).stem: row["file_name"] for row in read_rows(source)}
    return [(source, [given[Path(name).stem] for name in names]), (packed, names)]


def measure_wer(source: Path, packed: Path, checkpoint: Path) -> None:
    import jiwer

    texts = [row["text"] for row in read_rows(packed)]
    step = len(texts) // MEASURED
    chosen = range(0, step * MEASURED, step)
    wers = []
    for folder, names in pairs(source, packed):
        hypotheses = transcribe(checkpoint, [folder / names[i] for i in chosen])
        wers.append(jiwer.wer([plain(texts[i]) for i in chosen], [plain(text) for text in hypotheses]))
    print(f"WER on {MEASURED} clips: {wers[0]:.2%} as given, {wers[1]:.2%} packed")
    if abs(wers[1] - wers[0]) > MAX_WER_CHANGE:
        raise SystemExit(f"differs by more than {MAX_WER_CHANGE:.1%}: lower --level")


def plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w' ]", " ", text.lower()).split())


def transcribe(checkpoint: Path, files: list[Path], batch: int = 16) -> list[str]:
    """Greedy, each clip padded to 30 s."""
    import torch
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    model = WhisperForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32).eval()
    processor = WhisperProcessor.from_pretrained(checkpoint)
    order = sorted(range(len(files)), key=lambda i: soundfile.info(files[i]).duration)
    texts = [""] * len(files)
    for first in range(0, len(order), batch):
        part = order[first : first + batch]
        clips = [soundfile.read(files[i], dtype="float32")[0] for i in part]
        inputs = processor(clips, sampling_rate=16_000, return_tensors="pt", return_attention_mask=True)
        with torch.inference_mode():
            tokens = model.generate(inputs.input_features, attention_mask=inputs.attention_mask, num_beams=1)
        for i, text in zip(part, processor.batch_decode(tokens, skip_special_tokens=True), strict=True):
            texts[i] = text
    return texts


if __name__ == "__main__":
    main()
