"""The figures of docs/decoding.md are those that its script computes, and show what the page says."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def figures() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("ice_cream", ROOT / "scripts" / "ice_cream.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found: dict[str, str] = script.figures()
    return found


def test_the_page_has_the_figures(figures: dict[str, str]) -> None:
    page = (ROOT / "docs" / "decoding.md").read_text(encoding="utf-8")
    for name, text in figures.items():
        assert f"<!-- {name} -->\n{text}\n<!-- end -->" in page, "run: python scripts/ice_cream.py"


def test_the_same_sound_reads_differently_after_other_words(figures: dict[str, str]) -> None:
    assert 'alone says "we eat i scream", with the language model "we eat ice cream"' in figures["eat"]
    assert 'alone says "at night i scream", with the language model "at night i scream"' in figures["night"]
    assert "| a | a a, a ., . a | 0.64 |" in figures["paths"]
