"""Questions for one word of the model's own choice, how its answer is read, and what many of them say. Pure.

After Bruckner, arXiv 2607.10252: which words a model gives at temperature 1 tells models apart, and needs no
word of the model about itself. Each cell is asked in several ways, drawn at random, so that no fixed text
can be told from any other question.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from monitor.model import Failure, FailureKind, WordHistory
from monitor.model.result import MOST_EMPTY_WORDS, WORDS_OF_BASELINE, WORDS_OF_WINDOW
from monitor.probes.answer.answer_distribution import (
    Sample,
    Shuffler,
    chance,
    common_cells,
    commonest,
    excess,
)
from monitor.probes.answer.challenges import OneWord

RARE, SIGNIFICANT = 0.01, 0.001
"""Each of two windows in a row must be further apart than this chance explains, and both together further than the second."""
OTHER_MODEL_BITS = 0.35
"""The excess beyond which words differ as between two models: 0.23 was measured between two hosts of one
model, 0.46 between two models (arXiv 2607.10252)."""
_SHOWN = 3

_ENGLISH = "Answer with exactly one word. No punctuation, no explanation."
_CHINESE = "只用一个词回答。不要标点，不要解释。"

CELLS: Mapping[str, tuple[str, ...]] = {
    "number": (
        "Pick a number from 1 to 100.",
        "Name any whole number between 1 and 100.",
        "Choose one number, at least 1 and at most 100.",
        "Think of a number from 1 to 100. Which is it?",
    ),
    "number-zh": (
        "请在1到100之间选一个数字。",
        "随便说一个1到100的整数。",
        "任选一个不小于1、不大于100的数。",
        "想一个1到100之间的数字，是哪个？",
    ),
    "colour": (
        "Name a colour.",
        "Pick any colour.",
        "Which colour comes to your mind?",
        "Say one colour of your choice.",
    ),
    "animal": (
        "Name an animal.",
        "Pick any animal.",
        "Which animal comes to your mind?",
        "Say one animal of your choice.",
    ),
    "city": (
        "Name a city.",
        "Pick any city in the world.",
        "Which city comes to your mind?",
        "Say one city of your choice.",
    ),
    "letter": (
        "Pick a letter of the alphabet.",
        "Name one letter from A to Z.",
        "Which letter comes to your mind?",
        "Say one letter of the alphabet.",
    ),
}


SYSTEM_TEXTS = {cell: _CHINESE if cell.endswith("-zh") else _ENGLISH for cell in CELLS}
"""What is said before the questions of a cell."""


def next_question(words: WordHistory, rng: Shuffler) -> OneWord:
    """Return a question of the cell that was asked least of late, so that all are asked equally often."""
    asked = [_split(answer)[0] for answer in words.recent]
    cell = min(CELLS, key=asked.count)
    return OneWord(cell, SYSTEM_TEXTS[cell], rng.choice(CELLS[cell]))


def first_word(cell: str, answer: str) -> str:
    """Return the word of an answer as it is compared: in lower case, numbers as digits; empty where there is none."""
    text = unicodedata.normalize("NFKC", answer).casefold()
    match = re.search(r"\w[\w'’-]*", text)
    word = match[0].strip("_'’-") if match else ""
    word = word if len(word) <= _LONGEST else _TOO_LONG
    if not cell.startswith("number"):
        return word
    number = _number_at(text[match.start() :]) if match else None
    return word if number is None else str(number)


def with_answer(words: WordHistory, cell: str, answer: str, now: datetime) -> WordHistory:
    """Return the history after one more answer. Only words of the baseline's time go into the baseline."""
    word = first_word(cell, answer)
    entry = f"{cell} {word}"
    recent = (*words.recent, entry)[-2 * WORDS_OF_WINDOW :]
    if len(words.baseline) >= WORDS_OF_BASELINE or not word:
        return replace(words, recent=recent)
    baseline = (*words.baseline, entry)
    since = now if len(baseline) == WORDS_OF_BASELINE else None
    return WordHistory(baseline=baseline, since=since, recent=() if since else recent)


def judge_words(
    words: WordHistory,
    peers: Sequence[tuple[str, WordHistory]],
    rng: Shuffler,
    reference: tuple[str, Sample] | None = None,
) -> Failure | None:
    """Compare the last two windows with the other base URLs, then with the baseline, then with a named reference.

    Both windows must differ. Another base URL is asked first, for it has the same account and the same day; with
    several, most of them must differ from this one, and one whose own answers changed is no measure. Who answers as
    the reference is not suspected, whatever others do. Costs up to a second of CPU where much differs: not for an
    event loop.
    """
    windows = _windows(words)
    if windows is None:
        return None
    newest = sample(words.recent)
    if reference is not None and not _is_unlike(reference[1], windows, newest, rng):
        return None
    others = [
        (name, peer, theirs) for name, peer in peers if (theirs := _windows(peer)) is not None
    ]
    apart = [
        (name, peer)
        for name, peer, theirs in others
        if _are_apart(zip(theirs, windows, strict=True), (sample(peer.recent), newest), rng)
    ]
    steady = [(name, peer) for name, peer in apart if not _has_changed(peer, rng)]
    if 2 * len(steady) > len(others) - (len(apart) - len(steady)):
        names = ", ".join(name for name, _ in steady[:_SHOWN])
        return _suspect(names, sample(steady[0][1].recent), newest, rng)
    if _has_changed(words, rng):
        return _suspect(f"{words.since:%Y-%m-%d}", sample(words.baseline), newest, rng)
    return _suspect(*reference, newest, rng) if reference else None


def _has_changed(words: WordHistory, rng: Shuffler) -> bool:
    """Say whether the last two windows differ from the baseline."""
    windows = _windows(words)
    if windows is None or words.since is None:
        return False
    return _is_unlike(sample(words.baseline), windows, sample(words.recent), rng)


def _is_unlike(
    before: Sample, windows: tuple[Sample, Sample], newest: Sample, rng: Shuffler
) -> bool:
    return _are_apart(((before, window) for window in windows), (before, newest), rng)


def why_not_judged(words: WordHistory) -> str:
    """Say why nothing is judged although there are enough answers; empty where all is well."""
    empty = _share_empty(words.recent[-WORDS_OF_WINDOW:])
    if len(words.recent) < WORDS_OF_WINDOW or empty <= MOST_EMPTY_WORDS:
        return ""
    return f"cannot be judged: {empty:.0%} of the answers are empty"


def sample(answers: Sequence[str]) -> Sample:
    """Return the words by cell, without the empty ones."""
    cells: dict[str, list[str]] = {}
    for answer in answers:
        cell, word = _split(answer)
        if word:
            cells.setdefault(cell, []).append(word)
    return cells


def changed_words(before: Sample, now: Sample) -> list[str]:
    """Return the commonest word before and now of each cell where it is another one: `"blue" -> "teal"`."""
    pairs = [(commonest(before[cell]), commonest(now[cell])) for cell in common_cells(before, now)]
    return [f'"{old}" -> "{new}"' for old, new in pairs if old != new]


def _suspect(whose: str, before: Sample, now: Sample, rng: Shuffler) -> Failure:
    changes = ", ".join(changed_words(before, now)[:_SHOWN]) or "in rare words"
    why = f"got one-word answers unlike those of {whose} ({changes}), want the same"
    if excess(before, now, rng) >= OTHER_MODEL_BITS:
        why = f"got one-word answers as unlike those of {whose} as two models ({changes}), want the same"
    return Failure(FailureKind.MODEL_SUSPECT, why)


def _windows(words: WordHistory) -> tuple[Sample, Sample] | None:
    """Return the last window and the one before it; None where there are none that can be judged."""
    if len(words.recent) < 2 * WORDS_OF_WINDOW:
        return None
    before, last = (
        words.recent[-2 * WORDS_OF_WINDOW : -WORDS_OF_WINDOW],
        words.recent[-WORDS_OF_WINDOW:],
    )
    if max(map(_share_empty, (before, last))) > MOST_EMPTY_WORDS:
        return None
    return sample(last), sample(before)


def _are_apart(
    windows: Iterable[tuple[Sample, Sample]], both: tuple[Sample, Sample], rng: Shuffler
) -> bool:
    each_is = all(chance(theirs, ours, rng) < RARE for theirs, ours in windows)
    return each_is and chance(*both, rng) < SIGNIFICANT


def _share_empty(answers: Sequence[str]) -> float:
    return sum(not _split(answer)[1] for answer in answers) / max(len(answers), 1)


def _split(answer: str) -> tuple[str, str]:
    cell, _, word = answer.partition(" ")
    return cell, word


# --- numbers in words ---------------------------------------------------------------------------------

_LONGEST, _TOO_LONG = 24, "(long)"
_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_HAN = "零一二三四五六七八九"
_ENGLISH_NUMBER = re.compile(rf"({'|'.join(_TENS)})(?:[\s-]+({'|'.join(_UNITS[1:10])}))?\b")
_HAN_NUMBER = re.compile(rf"(一?百)|([{_HAN}]?)十([{_HAN}]?)|([{_HAN}])")


def _number_at(text: str) -> int | None:
    """Return the number with which a text begins, in digits, English or Chinese words; None for none."""
    if digits := re.match(r"\d{1,9}", text):
        return int(digits[0])
    if words := _ENGLISH_NUMBER.match(text):
        return 20 + 10 * _TENS.index(words[1]) + (_UNITS.index(words[2]) if words[2] else 0)
    if text.startswith(("hundred", "one hundred", "a hundred")):
        return 100
    word = re.match(r"[a-z]+", text)
    if word and word[0] in _UNITS:
        return _UNITS.index(word[0])
    return _han_number(text)


def _han_number(text: str) -> int | None:
    match = _HAN_NUMBER.match(text)
    if match is None:
        return None
    hundred, tens, units, digit = match.groups()
    if hundred:
        return 100
    if digit:
        return _HAN.index(digit)
    return 10 * (_HAN.index(tens) if tens else 1) + (_HAN.index(units) if units else 0)
