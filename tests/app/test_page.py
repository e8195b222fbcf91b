"""The page's HTML: what is shown, and that nothing from outside is taken for markup."""

from dataclasses import replace
from html.parser import HTMLParser

from hf_asr.app import page
from hf_asr.app.systems import Exhibit
from hf_asr.decoding.hypothesis import ScoredWord
from hf_asr.decoding.words import Reading

EVIL = """<img src=x onerror="alert(1)"> & '${alert(2)}' {{alert(3)}}"""


class Outline(HTMLParser):
    """Tags, their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def reading(*words: tuple[str, float]) -> Reading:
    spoken = tuple(ScoredWord(text, at, at + 0.5, sure, sure / 2) for at, (text, sure) in enumerate(words))
    return Reading(" ".join(text for text, _ in words), spoken)


def test_words_carry_shade_and_number_and_the_text_stays_whole() -> None:
    found = Outline(page.words(reading(("Sorry,", 0.57), ("but", 1.0))))
    assert found.text == "Sorry, but"
    first, second = (attributes for _, attributes in found.tags)
    assert (first["data-percent"], first["style"]) == ("57", "--doubt:43%")
    assert (second["data-percent"], second["style"]) == ("100", "--doubt:0%")
    assert first["title"] == "0.00 to 0.50 s, confidence 0.57 (lowest 0.28)"


def test_a_word_that_is_not_in_the_text_is_passed_over() -> None:
    odd = Reading("one two", (ScoredWord("one", 0, 1, 1, 1), ScoredWord("three", 1, 2, 1, 1)))
    assert Outline(page.words(odd)).text == "one two"


def test_words_that_differ_from_fine_tuned_are_marked(exhibit: Exhibit) -> None:
    ours = reading(("Sorry,", 1), ("but", 1), ("the", 1), ("mailbox", 1), ("is", 1), ("full.", 1))
    theirs = reading(("Story", 1), ("but", 1), ("the", 1), ("Mailbox", 1), ("-", 1), ("is", 1), ("full", 1))
    assert page.differing(theirs, ours, exhibit) == {0}
    assert page.differing(reading(("all", 1), ("else", 1)), ours, exhibit) == set(), "most differ: no marks"
    html = page.cards(exhibit, {"fine-tuned": (ours, 0.1), "zero-shot": (theirs, 0.2)})
    marked = [attributes for _, attributes in Outline(html).tags if "asr-differs" in (attributes.get("class") or "")]
    assert len(marked) == 1


def test_a_card_tells_why_a_model_is_not_there(exhibit: Exhibit) -> None:
    gone = replace(exhibit.systems[1], recogniser=None, missing="it is not on this computer, or cannot be read")
    html = page.cards(replace(exhibit, systems=(exhibit.systems[0], gone)), {}, waiting=True)
    assert "Not loaded: it is not on this computer, or cannot be read." in Outline(html).text
    assert "reading …" in Outline(html).text
    assert page.WAITING in Outline(page.cards(exhibit, {})).text


def test_silence_is_said(exhibit: Exhibit) -> None:
    assert "(nothing was heard)" in Outline(page.cards(exhibit, {"fine-tuned": (Reading(""), 0.1)})).text


def test_the_head_shows_word_error_rates_and_origin(exhibit: Exhibit) -> None:
    text = Outline(page.header(exhibit)).text
    for part in ("prompts", "2.4 %", "7.5 %", "96.0 %", "2.2 to 2.6", "105 test clips", "0.26 hours of prompts-en"):
        assert part in text
    assert "keeps '" in text
    unknown = replace(exhibit, systems=tuple(replace(system, score=None) for system in exhibit.systems))
    assert "not known here" in Outline(page.header(unknown)).text


def test_bars_stay_on_their_track(exhibit: Exhibit) -> None:
    worse = {**(exhibit.systems[0].score or {}), "wer": 3.1, "wer_low": 2.5, "wer_high": 4.0}
    systems = (exhibit.systems[0], replace(exhibit.systems[1], score=worse))
    styles = [attributes["style"] for _, attributes in Outline(page.scores(replace(exhibit, systems=systems))).tags
              if "style" in attributes]  # fmt: skip
    edges = [[float(part.partition(":")[2].rstrip("%")) for part in (style or "").split(";")] for style in styles]
    assert all(0 <= sum(edge) <= 100.5 for edge in edges), styles


def test_nothing_from_outside_is_markup(exhibit: Exhibit) -> None:
    evil = replace(
        exhibit,
        title=EVIL,
        trained_on=EVIL,
        verdict=EVIL,
        normaliser=EVIL,
        language='"><script>',
        systems=tuple(replace(system, model=EVIL) for system in exhibit.systems),
    )
    said = Reading(f"{EVIL} {EVIL}", (ScoredWord(EVIL, 0, 1, 1, 1),))  # once as a word, once between words
    rows = [{"file": EVIL, "seconds": 1.0, "fine-tuned": EVIL}, {"file": EVIL, "error": EVIL}]
    pieces = [
        page.header(evil),
        page.cards(evil, {"fine-tuned": (said, 0.1), "zero-shot": (reading(("a", 1)), 0.1)}),
        page.live(EVIL, EVIL, 1.0),
        page.table(rows, ["fine-tuned"], 2),
        page.problem(EVIL),
    ]
    for html in pieces:
        found = Outline(html)
        assert not {"img", "script"} & {tag for tag, _ in found.tags}, html
        assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes), html
        assert "<img src=x" in found.text


def test_a_table_counts_what_could_not_be_read() -> None:
    rows = [{"file": "a.wav", "seconds": 1.0, "fine-tuned": "hello"}, {"file": "b.wav", "error": "is empty"}]
    text = Outline(page.table(rows, ["fine-tuned"], 3)).text
    assert "2 of 3 files, 1 could not be read" in text
    assert "is empty" in text
    assert page.table([], ["fine-tuned"], 0) == ""
