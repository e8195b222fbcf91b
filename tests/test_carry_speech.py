"""scripts/carry_speech.py: what arrives has the names, lengths and sound of what was sent."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from hf_asr.data.audio import decode

ROOT = Path(__file__).parents[1]
PROMPTS = ROOT / "hf_asr" / "assets" / "prompts-en"


def test_there_and_back(tmp_path: Path) -> None:
    sent, parts, back = tmp_path / "sent", tmp_path / "parts", tmp_path / "back"
    (sent / "clips").mkdir(parents=True)
    with (PROMPTS / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:7]
    names = [f"clips/{number:06d}.flac" for number in range(len(rows))]
    for name, row in zip(names, rows, strict=True):
        soundfile.write(sent / name, decode({"path": str(PROMPTS / row["file_name"]), "bytes": None}), 16_000)
    (sent / "metadata.csv").write_text("file_name,text\n" + "".join(f"{name},hello\n" for name in names))

    script = ROOT / "scripts" / "carry_speech.py"
    subprocess.run([sys.executable, script, "pack", sent, parts], cwd=ROOT, check=True)
    assert [part.name for part in parts.iterdir()] == ["01"]
    subprocess.run([sys.executable, script, "unpack", parts / "01", back], cwd=ROOT, check=True)

    assert (back / "metadata.csv").read_text() == (sent / "metadata.csv").read_text()
    for name in names:
        before, after = (decode({"path": str(folder / name), "bytes": None}) for folder in (sent, back))
        assert len(after) == len(before)
        assert np.corrcoef(before, after)[0, 1] > 0.9
