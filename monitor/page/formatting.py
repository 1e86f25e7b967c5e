"""Words and formats for states, times and numbers. Pure; English where no language is asked for."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from types import SimpleNamespace

from monitor.language import ENGLISH, Language, marked
from monitor.model import LOCAL, BalanceHistory, FailureKind, Fault, Spend, clean_text
from monitor.model.failure import in_sentence
from monitor.page.published import TrustFact, TrustFinding
from monitor.page.states import State

LABELS = {
    State.OPERATIONAL: marked("Operational"),
    State.DEGRADED: marked("Degraded"),
    State.PARTIAL: marked("Partial outage"),
    State.MAJOR: marked("Major outage"),
    State.MAINTENANCE: marked("Maintenance"),
    State.UNKNOWN: marked("No data"),
}
MONTHS = (
    marked("January"),
    marked("February"),
    marked("March"),
    marked("April"),
    marked("May"),
    marked("June"),
    marked("July"),
    marked("August"),
    marked("September"),
    marked("October"),
    marked("November"),
    marked("December"),
)
_SHORT = (
    marked("Jan"),
    marked("Feb"),
    marked("Mar"),
    marked("Apr"),
    marked("May"),
    marked("Jun"),
    marked("Jul"),
    marked("Aug"),
    marked("Sep"),
    marked("Oct"),
    marked("Nov"),
    marked("Dec"),
)
_DAYS = (
    marked("Monday"),
    marked("Tuesday"),
    marked("Wednesday"),
    marked("Thursday"),
    marked("Friday"),
    marked("Saturday"),
    marked("Sunday"),
)
NAME = 120
"""Characters of a name."""
NBSP = "\u00a0"


def name(text: str, instead: str = "") -> str:
    """Return an operator's own name for something, without what would turn the words around it; never nothing."""
    return clean_text(text, NAME) or instead


def label(state: State, language: Language = ENGLISH) -> str:
    return language.gettext(LABELS[state])


def probe(
    name: str,
    kind: str | None = None,
    title: str | None = None,
    language: Language = ENGLISH,
) -> str:
    """Name a probe by its kind's title, and by its id where that is another: `Chat (long)`.

    The id alone where no title is known, as of a probe that is no longer configured.
    """
    if title is None:
        return name
    text = language.gettext(title)
    return text if name == kind else language.gettext("%(where)s (%(call)s)", where=text, call=name)


def call(
    name: str,
    kind: str | None = None,
    title: str | None = None,
    language: Language = ENGLISH,
) -> str:
    """Name a probe inside a sentence."""
    return in_sentence(probe(name, kind, title, language))


def whence(place: str, language: Language = ENGLISH) -> str:
    """Return `from Shanghai`, `from here`."""
    if place == LOCAL:
        return language.gettext("from here")
    return language.gettext("from %(place)s", place=place)


def seconds(milliseconds: float | None, language: Language = ENGLISH) -> str:  # noqa: ARG001  # SI is one language
    """Return a duration: `0.94 s`, `12 ms`, `–`."""
    if milliseconds is None:
        return "–"
    if milliseconds < 100:
        return f"{milliseconds:.0f}{NBSP}ms"
    return f"{milliseconds / 1000:.2f}{NBSP}s"


_IN_A_WORD = {
    State.OPERATIONAL: marked("Works"),
    State.DEGRADED: marked("Degraded"),
    State.PARTIAL: marked("In part"),
    State.MAJOR: marked("Down"),
    State.MAINTENANCE: marked("Paused"),
    State.UNKNOWN: marked("No data"),
}


def in_a_word(state: State, blocked: bool, language: Language = ENGLISH) -> str:  # noqa: FBT001  # of a template
    """Return what a place sees of a base URL, for a narrow column."""
    is_blocked = blocked and state is State.MAJOR
    return language.gettext(marked("Blocked") if is_blocked else _IN_A_WORD[state])


def cell(
    state: State,
    kind: FailureKind | None,
    milliseconds: float | None,
    language: Language = ENGLISH,
    *,
    ever: bool = False,
) -> str:
    """Return what stands in the matrix: the reason, or the median; `ever` says whether it was asked at all."""
    if state is State.MAINTENANCE:
        return language.gettext("Paused")
    if kind:
        path = kind.fault is Fault.PATH
        return language.gettext("Blocked") if path else language.words(kind).label
    if state is State.UNKNOWN:
        return language.gettext(marked("No recent result") if ever else marked("Not yet measured"))
    return seconds(milliseconds)


@lru_cache(maxsize=4096)  # asked several times for each figure of a page
def no_pick(service: str, language: Language, *, is_answered: bool) -> str:
    """Say why no base URL of a service is recommended; `is_answered`: one is known to answer its main call."""
    if is_answered:
        return language.gettext(
            "%(service)s: there are not enough recent good results to choose by.", service=service
        )
    return language.gettext("%(service)s: no base URL is known to work well now.", service=service)


def percent(share: float | None, language: Language = ENGLISH) -> str:
    """Format a share, never rounded up to 100: `99.99 %` is the most that a failure leaves."""
    if share is None:
        return "–"
    number = f"{share:.0%}"[:-1] if share in {0, 1} else f"{min(share * 100, 99.99):.2f}"
    return language.gettext("%(n)s\u00a0%%", n=number)


def uptime(share: float | None, good: float | None, language: Language = ENGLISH) -> str:
    """Return `99.94 % uptime`; where answers were not all good, `100 % answered, 37 % well`."""
    answered, well = percent(share, language), percent(good, language)
    if answered == well:
        return language.gettext("%(share)s uptime", share=answered)
    return language.gettext("%(share)s answered, %(good)s well", share=answered, good=well)


def uptime_over(
    share: float | None, good: float | None, days: int, language: Language = ENGLISH
) -> str:
    """Return `99.94 % uptime over 90 days`."""
    return language.ngettext(
        "%(uptime)s today",
        "%(uptime)s over %(num)s days",
        days,
        uptime=uptime(share, good, language),
    )


def bars(
    name: str,
    share: float | None,
    good: float | None,
    days: int,
    troubled: int,
    since: datetime | None = None,
    language: Language = ENGLISH,
) -> str:
    """Describe the bars for those who do not see them; `since` until there is a day of data."""
    if share is None:
        text = language.gettext("%(name)s: not measured yet.", name=name)
    else:
        over = uptime_over(share, good, days, language)
        if since:
            time = moment(since, language)
            over = language.gettext(
                "%(uptime)s since %(time)s", uptime=uptime(share, good, language), time=time
            )
        text = language.gettext("%(name)s: %(uptime)s.", name=name, uptime=over)
    trouble = language.ngettext("%(num)s day with trouble.", "%(num)s days with trouble.", troubled)
    return f"{text}{language.space}{trouble}"


def duration(length: timedelta, language: Language = ENGLISH) -> str:
    """Return `44 s`, `12 min`, `2 h 18 min`, `3 d 4 h`: rounded, as the minutes of a day are."""
    total = max(0, round(length.total_seconds()))
    if total < 60:
        return language.gettext("%(n)s\u00a0s", n=total)
    minutes, hours = round(total / 60), round(total / 3600)
    if minutes < 60:
        return language.gettext("%(n)s\u00a0min", n=minutes)
    if minutes < 48 * 60:
        if minutes % 60 == 0:
            return language.gettext("%(n)s\u00a0h", n=minutes // 60)
        return language.gettext(
            "%(hours)s\u00a0h %(minutes)s\u00a0min", hours=minutes // 60, minutes=minutes % 60
        )
    return language.gettext("%(days)s\u00a0d %(hours)s\u00a0h", days=hours // 24, hours=hours % 24)


def minutes(count: int, language: Language = ENGLISH) -> str:
    return duration(timedelta(minutes=count), language)


def limit(length: timedelta, language: Language = ENGLISH) -> str:
    """Return `100 s`, as such limits are known; minutes from ten on."""
    total = round(length.total_seconds())
    return language.gettext("%(n)s\u00a0s", n=total) if total < 600 else duration(length, language)


def amount(spent: Spend, currency: str, language: Language = ENGLISH) -> str:
    """Return `12,345 tokens (0.0312 USD)`, the money where prices are known."""
    tokens = language.gettext("%(count)s\u00a0tokens", count=f"{spent.tokens:,}")
    if not spent.money:
        return tokens
    return f"{tokens} ({spent.money:.4f}{NBSP}{currency})"


def whole_second(at: datetime) -> datetime:
    """Cut a time to whole seconds, in which times are published."""
    return at.replace(microsecond=0)


def moment(at: datetime, language: Language = ENGLISH) -> str:
    at = at.astimezone(UTC)
    return language.gettext(
        "%(day)s %(month)s, %(time)s UTC",
        day=at.day,
        month=language.gettext(_SHORT[at.month - 1]),
        time=f"{at:%H:%M}",
    )


def clock(at: datetime, language: Language = ENGLISH) -> str:  # noqa: ARG001  # the same in all
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def hour(at: datetime, language: Language = ENGLISH) -> str:  # noqa: ARG001  # the same in all
    return f"{at.astimezone(UTC):%H:%M} UTC"


def remedy(kind: FailureKind, language: Language = ENGLISH, *, other: bool) -> str:
    """Say what to do; not to use another base URL where there is no other to recommend."""
    if not other and "base URL" in kind.row.remedy:
        return language.gettext("Try again later.")
    return language.words(kind).remedy


def iso(at: datetime, language: Language = ENGLISH) -> str:  # noqa: ARG001  # the same in all
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def long_day(day: date, language: Language = ENGLISH) -> str:
    return language.gettext(
        "%(weekday)s %(day)s %(month)s",
        weekday=language.gettext(_DAYS[day.weekday()]),
        day=day.day,
        month=language.gettext(MONTHS[day.month - 1]),
    )


def days(first: date, last: date, language: Language = ENGLISH) -> str:
    """Return several days in a row: `17 to 18 November`."""
    if first.month != last.month:
        return f"{_day(first, language)} – {_day(last, language)}"
    return language.gettext(
        "%(first)s to %(last)s %(month)s",
        first=first.day,
        last=last.day,
        month=language.gettext(MONTHS[last.month - 1]),
    )


def promise(fact: TrustFact, language: Language = ENGLISH) -> str:
    """Name what a fact is about: `Model identity`, `Tool calls (claude-tools)`."""
    text = language.gettext(_PROMISES[fact.what])
    if fact.check == fact.kind or fact.what == "streaming":
        return text
    return language.gettext("%(where)s (%(call)s)", where=text, call=fact.check)


def found(fact: TrustFact, language: Language = ENGLISH) -> str:
    """Say what was found of a promise, in a sentence or two."""
    say, since = language.gettext, day(fact.since, language) if fact.since else None
    if fact.failure is not None:
        what = language.words(fact.failure).what
        begun = say("It is so since %(day)s.", day=since) if since else ""
        return language.space.join(filter(None, (what, begun)))
    if fact.finding is TrustFinding.SAME:
        return language.space.join(_likenesses(fact.compared_with, since, language))
    if fact.finding is TrustFinding.LEARNING:
        return language.ngettext(
            "Still learning: %(num)s more answer before anything is compared.",
            "Still learning: %(num)s more answers before anything is compared.",
            fact.answers or 0,
        )
    if fact.finding is TrustFinding.UNSURE:
        return say("The last run did not show it, which proves nothing yet.")
    if fact.finding is TrustFinding.NOT_JUDGED:
        return say(_NOT_JUDGED[fact.what])
    if fact.finding is TrustFinding.KEPT and fact.share is not None:
        return say(
            "Of a prompt that was sent a moment before %(share)s came from a cache.",
            share=say("%(n)s\u00a0%%", n=f"{100 * fact.share:.0f}"),
        )
    if fact.finding is TrustFinding.KEPT:
        begun = say("It is so since %(day)s.", day=since) if since else ""
        is_everywhere = "other_base_urls" in fact.compared_with
        too = (
            say("They are compared with those of the other base URLs, too.")
            if is_everywhere
            else ""
        )
        return language.space.join(filter(None, (say(_KEPT[fact.what]), begun, too)))
    return say("Not measured lately.")


def balance(money: BalanceHistory, language: Language = ENGLISH) -> str:
    """Say what was left when it was read last, of the account or of the key alone, and how long that lasts."""
    say, last = language.gettext, money.last()
    if last.amount is None:
        return say("The key has no limit of its own; what the account has is not told.")
    left = f"{last.amount:,.2f}{NBSP}{last.currency}"
    sentence = say("%(money)s are left on the account.", money=left)
    if last.of_key:
        sentence = say("%(money)s are left of the key's own limit.", money=left)
    if last.days_left is None:
        return sentence
    lasts = say("They last %(days)s days at this rate.", days=f"{last.days_left:.1f}")
    return f"{sentence}{language.space}{lasts}"


def _likenesses(
    compared_with: tuple[str, ...], since: str | None, language: Language
) -> Iterator[str]:
    say = language.gettext
    if compared_with == ("reference",):
        yield say("One-word answers are spread as in the operator's reference.")
        return
    if "own_past" not in compared_with:
        yield say("One-word answers are spread as through the other base URLs.")
    elif "other_base_urls" not in compared_with:
        yield say("One-word answers are spread as when they were learned, on %(day)s.", day=since)
    else:
        yield say(
            "One-word answers are spread as when they were learned, on %(day)s, and as through the other base URLs.",
            day=since,
        )
    if "reference" in compared_with:
        yield say("They are spread as in the operator's reference, too.")


_PROMISES = {
    "model": marked("Model identity"),
    "structured": marked("Structured output"),
    "tools": marked("Tool calls"),
    "cache": marked("Prompt cache"),
    "tokens": marked("Token counts"),
    "streaming": marked("Streaming"),
}
_NOT_JUDGED = {
    "model": marked("It cannot be judged: too many answers are empty."),
    "tokens": marked(
        "It cannot be judged: prompt tokens are not counted, differ from call to call, or do not grow with the text."
    ),
}
_KEPT = {
    "structured": marked("Answers keep to the JSON schema that is asked for."),
    "tools": marked("Tools are called, and what they say is taken."),
    "cache": marked("Prompts that were sent a moment before are read from a cache."),
    "tokens": marked("The same texts count as many tokens as before."),
    "streaming": marked("Streams come as they are written."),
}


def day(at: datetime, language: Language = ENGLISH) -> str:
    """Return `12 November`."""
    return _day(at.astimezone(UTC).date(), language)


def _day(of: date, language: Language) -> str:
    month = language.gettext(MONTHS[of.month - 1])
    return language.gettext("%(day)s %(month)s", day=of.day, month=month)


_LETTERS = (
    ("ja", re.compile("[\u3041-\u30ff]")),
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003134f]")),
    ("und-Cyrl", re.compile("[\u0400-\u04ff]")),
    ("und-Arab", re.compile("[\u0600-\u06ff]")),
    ("und-Hebr", re.compile("[\u0590-\u05ff]")),
    ("und-Deva", re.compile("[\u0900-\u097f]")),
    ("und-Grek", re.compile("[\u0370-\u03ff]")),
    ("en", re.compile("[A-Za-z]{2}")),
)


def lang_attribute(text: str, page: Language, *, name: bool = False) -> str | None:
    """Return the language of an operator's words, as far as their letters say; None where it is the page's.

    A `lang` attribute makes a screen reader pronounce them right, and gives Han characters the right
    shapes. A `name` in Latin letters is at home in every language.
    """
    if name and text.isascii():
        return None
    code = next((code for code, letters in _LETTERS if letters.search(text)), None)
    own = page.code.split("-")[0]
    return None if code == own or (name and code == "en") else code


_IN_TEMPLATES: tuple[Callable[..., str], ...] = (
    label,
    probe,
    call,
    whence,
    seconds,
    in_a_word,
    cell,
    percent,
    uptime,
    uptime_over,
    bars,
    duration,
    minutes,
    limit,
    amount,
    moment,
    clock,
    hour,
    remedy,
    iso,
    long_day,
    days,
    promise,
    found,
    balance,
)


def in_language(language: Language) -> SimpleNamespace:
    """Return all of the above by name, for templates."""
    return SimpleNamespace(
        **{function.__name__: partial(function, language=language) for function in _IN_TEMPLATES}
    )
