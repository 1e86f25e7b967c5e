"""Says what the monitor says of itself: the first line is the title. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from monitor.alerts.message_parts import Context, lasted, moment
from monitor.language import ENGLISH, Language
from monitor.model import Failure, FailureKind, Notice, NotificationType, RestartState
from monitor.model.errors import RECEIVER, delivery_remedy

GAP = timedelta(minutes=5)
"""A shorter break is a restart, and no news."""
LASTS = timedelta(seconds=20)
"""Trouble that is over sooner is no news."""
MAX_COMPLAINTS = 20
"""Complaints of a configuration that a message lists."""
CHANNEL_LASTS = timedelta(minutes=5)
"""A channel that asks for patience, or starts again, is no news either."""


STOPPED = "stopped"
"""The event that `monitor report-failure` begins, and the start of a daemon ends."""
CONFIGURATION = "configuration"
"""The event of a configuration that was refused."""
SILENT_FOR = timedelta(minutes=2)
"""A vantage that counts as not heard for so long is told as silent."""


def started_again(say: Language) -> str:
    """Return what ends the trouble that an earlier daemon told of."""
    title = say.gettext("monitor: started again")
    ended = say.gettext(
        "What was told before this start has ended with it; what goes on is told again."
    )
    return f"👁 {title}\n{ended}"


def group_moved(channel: str, before: str, after: str, say: Language) -> str:
    """Return what is told of a Telegram group of a channel that has another number."""
    title = say.gettext("monitor: a group of channel %(name)s has another number", name=channel)
    what = say.gettext(
        "It became a supergroup. Messages go to %(after)s now; put that in place of %(before)s into"
        " the `url` of the channel.",
        before=before,
        after=after,
    )
    return f"👁 {title}\n{what}"


def budget_warning(service: str, why: str, say: Language) -> str:
    """Return what is told of a service, by its name, most of whose budget is spent."""
    title = say.gettext("%(service)s: most of today's budget for checks is spent", service=service)
    return f"💰 {title}\n{_spent(why, say)}"


def told_once(failure: Failure, service: str, say: Language) -> str:
    """Return the notice of a rule that makes no incident."""
    if failure.kind is FailureKind.BALANCE_LOW:
        title = say.gettext("%(service)s: the balance runs low", service=service)
        return f"💰 {title}\n{say.observed(failure.message)}\n{say.words(failure.kind).remedy}"
    return budget_spent(service, failure.message, say)


def budget_spent(service: str, why: str, say: Language) -> str:
    """Return what is told of a service, by its name, whose budget is spent."""
    title = say.gettext("%(service)s: paid checks pause until tomorrow (UTC)", service=service)
    return f"💰 {title}\n{_spent(why, say)}"


def _spent(why: str, say: Language) -> str:
    """Say how much; what follows in `why` the title says."""
    spent = say.observed(why.partition("; ")[0])
    return spent[:1].upper() + spent[1:] + say.gettext(". ").rstrip()


def started(memory: RestartState, context: Context, before: str | None = None) -> str | None:
    """Return what is told at a start; None after a clean and short stop.

    `before` is the daemon from which this one took over, where it has waited for that. Of many crashes within an hour the 1st, 2nd, 4th, 8th and so on is told.
    """
    if memory.last_seen is None:
        return None
    gap, say = context.now - memory.last_seen, context.language
    number = memory.crashes
    crashed = not memory.stopped_cleanly and number & (number - 1) == 0
    if gap < GAP and not crashed:
        return None
    title = say.gettext("monitor: crashed")
    has_taken_over = before is not None and not memory.stopped_cleanly
    if has_taken_over:
        title = say.gettext("monitor: the standby has taken over")
    elif gap >= GAP:
        title = say.gettext("monitor: was down for %(lasted)s", lasted=lasted(gap, context))
    lines = [f"👁 {title}", _not_watched(memory.last_seen, context, by_another=has_taken_over)]
    if has_taken_over:
        what = say.gettext(
            "Until then %(who)s led; it gave no more signs of life: a crash, a hang, a loss of power, or a"
            " network that is cut.",
            who=before,
        )
        lines.append(what)
    elif not memory.stopped_cleanly:
        lines.append(say.gettext("It did not stop by itself: a crash, a kill, or a loss of power."))
    if number > 1 and crashed:
        lines.append(say.gettext("Crashes within an hour: %(num)s. Its log says why.", num=number))
    return "\n".join(lines)


def _not_watched(since: datetime, context: Context, *, by_another: bool) -> str:
    """Say from when to now nothing was probed; of another daemon we know only what it has stored."""
    begin, end, say = moment(since, context), moment(context.now, context), context.language
    length = lasted(context.now - since, context)
    if by_another and begin == end:
        return say.gettext(
            "At %(moment)s no result of its own was stored for %(lasted)s.",
            moment=begin,
            lasted=length,
        )
    if by_another:
        return say.gettext(
            "From %(begin)s to %(end)s no result of its own was stored.", begin=begin, end=end
        )
    if begin == end:
        return say.gettext(
            "At %(moment)s nothing was probed for %(lasted)s.", moment=begin, lasted=length
        )
    return say.gettext("From %(begin)s to %(end)s nothing was probed.", begin=begin, end=end)


def paused(begin: datetime, end: datetime, context: Context, *, by_clock: bool) -> str:
    """Say that nothing was probed for a while, though the monitor was never stopped.

    `by_clock` means that only the wall clock tells of it.
    """
    say = context.language
    title = say.gettext(
        "monitor: could not see for %(lasted)s", lasted=lasted(end - begin, context)
    )
    first, last = moment(begin, context), moment(end, context)
    lines = [
        f"👁 {title}",
        say.gettext("From %(begin)s to %(end)s nothing was probed.", begin=first, end=last),
    ]
    if by_clock:
        lines.append(say.gettext("Its machine was paused, or its clock was set forward."))
    else:
        lines.append(say.gettext("Its machine was suspended, or the monitor itself was paused."))
    return "\n".join(lines)


def troubled(part: str, why: str, say: Language) -> str:
    title = {
        "store": say.gettext("monitor: its store is in trouble"),
        "memory": say.gettext("monitor: it gives up results"),
        "schedule": say.gettext("monitor: its schedule is in trouble"),
    }[part]
    what = {
        "store": say.gettext(
            "Probing and alerts go on; what cannot be written waits in memory, and a restart would lose it."
        ),
        "memory": say.gettext(
            "What waits in memory is all that fits. Alerts go on; mend the store."
        ),
        "schedule": say.gettext("Checks run late or not at all."),
    }[part]
    return f"👁 {title}\n{why}\n{what}"


def mute(channel: str, why: str, waiting: int, say: Language) -> str:
    """Return what the other channels are told of one that takes nothing."""
    title = say.gettext("monitor: channel %(name)s takes no messages", name=channel)
    wait = say.ngettext(
        "%(num)s message waits for it; it is tried for 24 hours.",
        "%(num)s messages wait for it; they are tried for 24 hours.",
        waiting,
    )
    to_do = say.gettext("To do: %(remedy)s", remedy=say.gettext(delivery_remedy(why)))
    return "\n".join([f"👁 {title}", why, to_do, wait])


def gone(webhook: str, say: Language) -> str:
    """Return what people are told of a webhook whose receiver answered 410 Gone."""
    title = say.gettext("monitor: %(name)s is switched off", name=webhook)
    why = say.gettext(
        "Its receiver has answered 410 Gone. Nothing is sent there until the configuration is read again."
    )
    to_do = say.gettext("To do: %(remedy)s", remedy=say.gettext(RECEIVER))
    return "\n".join([f"👁 {title}", why, to_do])


def heard(channel: str, lasts: timedelta, now: datetime, say: Language) -> str:
    title = say.gettext("monitor: channel %(name)s takes messages again", name=channel)
    length = lasted(lasts, Context(now=now, language=say))
    return f"✅ {title}\n" + say.gettext("That lasted %(lasted)s.", lasted=length)


def left(channel: str, say: Language) -> str:
    """Return what ends the trouble of a channel that is there no more."""
    title = say.gettext("monitor: channel %(name)s left the configuration", name=channel)
    why = say.gettext("What waits for it is kept for 24 hours, should it come back.")
    return f"👁 {title}\n{why}"


def mended(part: str, lasts: timedelta, now: datetime, say: Language) -> str:
    title = {
        "store": say.gettext("monitor: its store is well again"),
        "memory": say.gettext("monitor: it keeps all results again"),
        "schedule": say.gettext("monitor: its schedule is well again"),
    }[part]
    length = lasted(lasts, Context(now=now, language=say))
    return f"✅ {title}\n" + say.gettext("That lasted %(lasted)s.", lasted=length)


def refused(complaints: Iterable[object], say: Language) -> str:
    """Say that a changed configuration cannot be used."""
    title = say.gettext("monitor: the new configuration was refused")
    stays = say.gettext("The old one stays in force.")
    return "\n".join([f"👁 {title}", stays, *map(str, complaints)])


def stopped(unit: str, why: str, complaints: Sequence[str], say: Language, *, again: bool) -> str:
    """Say that the service has failed; `again` that systemd will start it again."""
    title = say.gettext("monitor: monitoring has stopped")
    if again:
        what = say.gettext("%(unit)s crashes again and again (%(why)s).", unit=unit, why=why)
        then = say.gettext("Nothing is probed meanwhile. It is started again in five minutes.")
    else:
        what = say.gettext(
            "%(unit)s has ended and will not be started again (%(why)s).", unit=unit, why=why
        )
        then = say.gettext("Nothing is probed until somebody mends that.")
    lines = [f"👁 {title}", what, then, *complaints[:MAX_COMPLAINTS]]
    if len(complaints) > MAX_COMPLAINTS:
        lines.append(say.gettext("and %(num)s more", num=len(complaints) - MAX_COMPLAINTS))
    return "\n".join([*lines, say.gettext("More: %(command)s", command=f"journalctl -u {unit}")])


def noted(note: str, say: Language) -> str:
    return "👁 " + say.gettext("monitor: its store was mended") + f"\n{note}"


def begins(event: str, text: str, but: frozenset[str] = frozenset()) -> Notice:
    return Notice(text, event, NotificationType.OPENED, but)


def ends(event: str, text: str, but: frozenset[str] = frozenset()) -> Notice:
    return Notice(text, event, NotificationType.RESOLVED, but)


class TroubleTracker:
    """Trouble of the monitor's own parts, by name: told when it lasts, and when it is over."""

    def __init__(self, lasts: timedelta) -> None:
        self._lasts = lasts
        self._since: dict[str, float] = {}
        self._told: set[str] = set()

    @property
    def told(self) -> frozenset[str]:
        """Return what people were told of and goes on."""
        return frozenset(self._told)

    def begins(self, name: str, monotonic: float) -> bool:
        """Note that it goes on; return whether now is the time to tell."""
        since = self._since.setdefault(name, monotonic)
        if name in self._told or monotonic - since < self._lasts.total_seconds():
            return False
        self._told.add(name)
        return True

    def ended(self, name: str, monotonic: float) -> timedelta | None:
        """Note that it is well; return how long it lasted, where people were told of it."""
        since = self._since.pop(name, None)
        if since is None or name not in self._told:
            return None
        self._told.remove(name)
        return timedelta(seconds=monotonic - since)

    def see(
        self, name: str, why: str | None, now: datetime, monotonic: float, say: Language = ENGLISH
    ) -> Notice | None:
        """Return what to tell of a part now, if anything."""
        if why is None:
            lasts = self.ended(name, monotonic)
            return None if lasts is None else ends(name, mended(name, lasts, now, say))
        return begins(name, troubled(name, why, say)) if self.begins(name, monotonic) else None


def silence_event(vantage: str) -> str:
    """Return the event that a vantage is not heard."""
    return f"vantage/{vantage}"


def not_heard(name: str, since: datetime, context: Context) -> str:
    """Say that nothing comes from a vantage; `since` is when it was heard last."""
    say = context.language
    title = say.gettext(
        "%(vantage)s is not heard since %(begin)s", vantage=name, begin=moment(since, context)
    )
    then = say.gettext(
        "It has no vote meanwhile. What it measures is added when it is heard again, as far as its"
        " buffer holds it."
    )
    remedy = say.gettext("see whether `monitor agent` runs there and reaches this hub.")
    return f"👁 {title}\n{then}\n" + say.gettext("To do: %(remedy)s", remedy=remedy)


def heard_again(name: str, lasts: timedelta, context: Context) -> str:
    """Say that results of a vantage come again."""
    say = context.language
    title = say.gettext("%(vantage)s is heard again", vantage=name)
    length = lasted(lasts, context)
    return f"✅ {title}\n" + say.gettext("It was not heard for %(lasted)s.", lasted=length)


def waited_for_no_more(name: str, say: Language) -> str:
    """Say that the silence of a vantage is no trouble any more, though it was not heard again."""
    title = say.gettext("%(vantage)s is no longer waited for", vantage=name)
    why = say.gettext("It has left the configuration, or has `sleeps = true` now.")
    return f"✅ {title}\n{why}"


def agent_notice(what: str, vantage: str, say: Language) -> str:
    """Say what is odd about the agent of a vantage: `two_agents`, `clock`, `dropped` or `refused`."""
    title, text = {
        "two_agents": (
            say.gettext("%(vantage)s: two agents have the same key", vantage=vantage),
            say.gettext(
                "Only the first one is heard. Stop one of them, or give it a vantage of its own with"
                " `monitor agent add`."
            ),
        ),
        "clock": (
            say.gettext("%(vantage)s: its clock is more than a minute wrong", vantage=vantage),
            say.gettext("The times of its results are corrected. Set the clock of that machine."),
        ),
        "dropped": (
            say.gettext("%(vantage)s: its buffer was full", vantage=vantage),
            say.gettext(
                "It gave up the oldest good results that waited for the hub. Raise `buffer` in [agent]"
                " if the hub is often away for so long."
            ),
        ),
        "refused": (
            say.gettext("%(vantage)s: the hub refused some of its results", vantage=vantage),
            say.gettext("They are lost. The log of the hub says why; update the older of the two."),
        ),
    }[what]
    return f"👁 {title}\n{text}"
