"""From results to incidents and messages: one incident per cause, nothing told twice."""

from dataclasses import replace
from datetime import timedelta

from alerts_cast import PHONE, START, Night

from monitor.alerts.policies import FailureRate
from monitor.alerts.self_alerts import budget_spent, budget_warning
from monitor.language import language
from monitor.model import (
    AlertSettings,
    Balance,
    Failure,
    FailureKind,
    Incident,
    Maintenance,
    MaintenanceWindow,
    Notice,
    NotificationType,
    OutboxMessage,
    Outcome,
    Result,
    Severity,
)

UP, DEGRADED, DOWN, UNKNOWN = Outcome


def test_an_outage_is_told_once_and_its_end_once() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=20)
    night.see("s/a/chat", times=5)

    assert night.messages == ["opened #1 down to phone", "resolved #1 down to phone"]
    incident = night.incidents[1]
    assert (incident.opened, incident.closed) == (START, START + timedelta(seconds=20))
    assert incident.failed_runs == {"bad_gateway": 20}


def test_an_outage_survives_a_restart_without_a_second_message() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=4)
    night.restart()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=4)
    night.restart()
    night.see("s/a/chat", times=2)

    assert night.messages == ["opened #1 down to phone", "resolved #1 down to phone"]
    assert night.incidents[1].failed_runs == {"bad_gateway": 8}


def test_a_suspicion_survives_a_restart_too() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=2)
    night.restart()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY)

    assert night.messages == ["opened #1 down to phone"]
    assert night.incidents[1].opened == START


def test_all_checks_of_an_endpoint_are_one_incident_that_ends_with_the_last_of_them() -> None:
    night = Night()
    for _ in range(4):
        night.see("s/a/chat", FailureKind.CONNECT_TIMEOUT)
        night.see("s/a/models", FailureKind.CONNECT_TIMEOUT)
    night.see("s/a/chat", times=2)
    assert night.messages == ["opened #1 down to phone"]

    night.see("s/a/models", times=2)
    assert night.messages == ["opened #1 down to phone", "resolved #1 down to phone"]
    assert night.incidents[1].checks == ("s/a/chat", "s/a/models")


def test_endpoints_that_break_together_are_one_incident_of_their_service() -> None:
    night = Night()
    for _ in range(3):
        for endpoint in "abcdef":
            night.see(f"s/{endpoint}/chat", FailureKind.SERVER_ERROR)

    assert night.messages == ["opened #1 down to phone"]
    assert night.incidents[1].endpoints == ("s/a", "s/b", "s/c", "s/d", "s/e", "s/f")


def test_another_service_and_a_much_later_outage_are_incidents_of_their_own() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.SERVER_ERROR, times=3)
    night.see("t/a/chat", FailureKind.SERVER_ERROR, times=3)
    night.now += timedelta(minutes=10)
    night.see("s/b/chat", FailureKind.SERVER_ERROR, times=3)

    assert night.messages == [
        "opened #1 down to phone",
        "opened #2 down to phone",
        "opened #3 down to phone",
    ]


def test_a_changed_cause_is_an_entry_not_a_message() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.CONNECT_TIMEOUT, times=3)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=2)

    incident = night.incidents[1]
    assert night.messages == ["opened #1 down to phone"]
    assert [entry.what.value for entry in incident.timeline] == ["opened", "cause"]
    assert incident.failure.kind is FailureKind.BAD_GATEWAY
    assert incident.failed_runs == {"connect_timeout": 3, "bad_gateway": 2}


def test_where_one_place_looks_nothing_that_is_down_works_from_elsewhere() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.CONNECT_TIMEOUT, 3)
    assert night.alerts.seen_well_from(night.incidents[1], night.now) == ()


def test_a_rejected_key_is_one_incident_of_the_service_not_an_outage() -> None:
    night = Night()
    for _ in range(3):
        for endpoint in "abc":
            night.see(f"s/{endpoint}/chat", FailureKind.AUTH_INVALID)

    assert night.messages == ["opened #1 account to phone"]
    assert night.incidents[1].severity is Severity.ACCOUNT


def test_ignorance_that_the_operator_chose_is_not_news() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.NO_KEY, times=20)

    assert (night.messages, night.incidents) == ([], {})


def test_a_spent_budget_is_said_once_a_day_for_a_service_and_is_no_incident() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BUDGET_PAUSED, times=9)
    night.see("s/b/chat", FailureKind.BUDGET_PAUSED, times=9)
    night.restart()
    night.see("s/b/chat", FailureKind.BUDGET_PAUSED)
    assert night.messages == ["notice #None monitor to phone"]
    assert night.incidents == {}

    night.see("s/a/chat")  # the next day
    night.see("s/b/chat")
    night.see("s/b/chat", FailureKind.BUDGET_PAUSED)
    assert night.messages == ["notice #None monitor to phone"] * 2


def test_what_we_cannot_see_is_about_the_monitor_and_no_outage() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.OVERRUN, times=3)
    night.see("t/b/chat", FailureKind.INTERNAL, times=3)

    assert night.messages == ["opened #1 monitor to phone"]
    assert night.incidents[1].service is None


def test_degraded_must_last_longer_and_is_a_warning() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.SLOW, times=4)
    assert night.messages == []
    night.see("s/a/chat", FailureKind.SLOW)
    assert night.messages == ["opened #1 degraded to phone"]


def test_while_an_endpoint_is_down_that_it_is_also_slow_is_kept_and_not_told() -> None:
    night = Night()
    night.see("s/a/models", FailureKind.SERVER_ERROR, times=3)
    night.see("s/a/chat", FailureKind.SLOW, times=6)
    night.see("s/a/chat", times=3)

    assert night.messages == ["opened #1 down to phone"]
    assert night.incidents[2].announced is False


def test_what_was_kept_silent_is_told_when_it_outlasts_the_outage() -> None:
    night = Night()
    night.see("s/a/models", FailureKind.SERVER_ERROR, times=3)
    night.see("s/a/chat", FailureKind.SLOW, times=6)
    night.keep(night.alerts.remind(night.now))
    assert night.messages == ["opened #1 down to phone"]

    night.see("s/a/models", times=2)
    night.keep(night.alerts.remind(night.now))
    night.see("s/a/chat", times=2)
    assert night.messages == [
        "opened #1 down to phone",
        "resolved #1 down to phone",
        "opened #2 degraded to phone",
        "resolved #2 degraded to phone",
    ]


def test_the_silence_of_one_endpoint_is_not_anothers() -> None:
    night = Night()
    night.see("s/a/models", FailureKind.SERVER_ERROR, times=3)
    night.see("s/a/chat", FailureKind.SLOW, times=5)
    night.see("s/b/chat", FailureKind.SLOW, times=5)
    assert night.messages == ["opened #1 down to phone", "opened #3 degraded to phone"]


def test_channels_choose_severities_and_services() -> None:
    only_down = replace(PHONE, id="night", only=frozenset({Severity.DOWN}))
    only_t = replace(PHONE, id="t", services=frozenset({"t"}))
    night = Night((only_down, only_t))
    night.see("s/a/chat", FailureKind.SERVER_ERROR, times=3)
    night.see("s/b/chat", FailureKind.AUTH_INVALID, times=3)
    night.see("t/a/chat", FailureKind.AUTH_INVALID, times=3)

    assert night.messages == ["opened #1 down to night", "opened #3 account to t"]


def test_reminders_stretch() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.SERVER_ERROR, times=3)
    hours = []
    for minutes in range(0, 96 * 60, 10):
        changes = night.alerts.remind(night.now + timedelta(minutes=minutes))
        assert all(row.what is NotificationType.REMINDER for row in changes.outgoing)
        hours += [minutes // 60] * len(changes.outgoing)

    assert hours == [4, 12, 28, 52, 76]


def test_what_was_told_of_a_check_that_leaves_the_config_ends_with_it() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.SERVER_ERROR, times=3)
    night.see("s/a/models", FailureKind.SERVER_ERROR, times=3)
    night.keep(night.alerts.forget({"s/a/models"}, night.now))
    assert night.incidents[1].active == {"s/a/models"}

    night.keep(night.alerts.forget(set(), night.now))
    assert night.incidents[1].closed == night.now
    assert night.incidents[1].unwatched == {"s/a/chat", "s/a/models"}
    assert night.messages == ["opened #1 down to phone", "resolved #1 down to phone"]


def times(incident: Incident) -> list[tuple[str, float]]:
    return [(each.what.value, (each.at - START).total_seconds()) for each in incident.timeline]


def test_a_check_that_left_before_anything_was_believed_leaves_nothing() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.SERVER_ERROR, times=2)
    night.see("s/b/chat", FailureKind.SERVER_ERROR, times=3)
    night.see("s/b/chat", times=2)
    night.keep(night.alerts.forget(set(), night.now))
    assert night.messages == ["opened #1 down to phone", "resolved #1 down to phone"]
    assert times(night.incidents[1]) == [("opened", 2), ("resolved", 5)]
    assert {state.phase.value for state in night.states.values()} == {"up"}


def test_each_entry_has_the_time_of_what_it_tells() -> None:
    night = Night()
    night.see("s/a/models", FailureKind.SERVER_ERROR, times=3)
    night.see("s/a/chat", FailureKind.SLOW, times=5)
    night.see("s/a/models", FailureKind.CONNECT_TIMEOUT)
    assert times(night.incidents[1]) == [("opened", 0), ("cause", 8)]
    assert night.incidents[1].timeline[1].check == "s/a/models"
    assert times(night.incidents[2]) == [("opened", 3), ("muted", 7)]


def test_how_long_it_was_down_this_month_counts_what_is_over_and_what_is_not() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.SERVER_ERROR, times=3)
    night.later(minutes=10)
    night.see("s/a/chat", times=2)
    night.see("s/a/chat", FailureKind.SERVER_ERROR, times=3)
    work = Maintenance(
        id="m", title="m", once=MaintenanceWindow(START, START + timedelta(seconds=63))
    )
    down = night.alerts.downtime(night.incidents[2], night.now)
    assert down == timedelta(minutes=10, seconds=6)
    night.alerts.change(replace(night.settings, maintenance=(work,)), (PHONE,))
    assert night.alerts.downtime(night.incidents[2], night.now) == down - timedelta(seconds=63)


def test_a_notice_goes_to_whoever_wants_to_hear_of_the_monitor() -> None:
    other = replace(PHONE, id="night", only=frozenset({Severity.DOWN}))
    rows = Night((PHONE, other)).alerts.notice(Notice("The clock was set."), START)
    assert rows == (
        OutboxMessage(
            channel="phone",
            what=NotificationType.NOTICE,
            severity=Severity.MONITOR,
            incident=None,
            created=START,
            not_before=START,
            text="The clock was set.",
        ),
    )


def test_after_a_restart_it_wants_what_windows_and_suspicions_reach_back_to() -> None:
    night = Night()
    assert night.alerts.needs_since(night.now) == night.now
    night.see(
        "s/b/chat", FailureKind.SERVER_ERROR, times=3
    )  # believed: nothing more is wanted of it
    night.see("s/a/chat", FailureKind.SERVER_ERROR)
    night.later(minutes=10)
    suspected = START + timedelta(seconds=3)
    assert night.alerts.needs_since(night.now) == suspected - timedelta(milliseconds=2)

    night.alerts.change(AlertSettings(policies=(FailureRate(),)), (PHONE,))
    assert night.alerts.needs_since(night.now) == night.now - timedelta(minutes=30)
    assert night.alerts.needs_since(START) == START - timedelta(minutes=30)


def test_what_is_seen_and_not_believed_is_suspected() -> None:
    night = Night()
    found = []
    for kind in (
        None,
        FailureKind.SLOW,
        FailureKind.SERVER_ERROR,
        FailureKind.SERVER_ERROR,
        FailureKind.SERVER_ERROR,
    ):
        night.see("s/a/chat", kind)
        found.append(night.alerts.suspects("s/a/chat"))
    assert found == [False, True, True, True, False]  # of being slow, until it is believed down
    night.see("s/b/chat", FailureKind.SERVER_ERROR, times=3)
    assert [night.alerts.suspects(each) for each in ("s/b/chat", "s/c/chat")] == [False, False]


def test_it_says_how_many_incidents_are_open() -> None:
    night = Night()
    assert night.alerts.summary == "all is well"
    night.see("s/a/chat", FailureKind.SERVER_ERROR, times=3)
    assert night.alerts.summary == "1 open incidents"


def test_it_is_blind_while_the_monitor_itself_is_in_trouble() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.SERVER_ERROR, times=3)
    night.see("s/b/chat", FailureKind.EDGE_DENIED, times=3)
    assert not night.alerts.is_blind  # one service turns us away: the others are seen
    night.see("t/a/chat", FailureKind.OFFLINE, times=3)
    assert night.alerts.is_blind
    night.see("t/a/chat", times=2)
    assert not night.alerts.is_blind


def test_it_sees_again_with_the_first_run_that_measures_though_another_check_waits_for_its_turn() -> (
    None
):
    night = Night()
    for check in ("t/a/chat", "t/a/models"):
        night.see(check, FailureKind.OFFLINE, times=3)
    night.see("t/a/models")
    assert not night.alerts.is_blind
    assert [incident.severity for incident in night.alerts.open_incidents] == [Severity.MONITOR]
    night.see("t/a/models", FailureKind.OFFLINE)
    assert night.alerts.is_blind


def test_what_is_said_of_a_budget_names_the_service_and_what_was_spent() -> None:
    night = Night()
    paused = Failure(FailureKind.BUDGET_PAUSED, "spent 5 of 5 tokens today")
    (row,) = night.alerts.judge(
        Result(check="s/a/chat", vantage="local", at=START, outcome=Outcome.UNKNOWN, failure=paused)
    ).outgoing
    english = language("en")
    assert (row.text, row.created) == (budget_spent("s", paused.message, english), START)
    night.alerts.service_names = {"s": "Relay"}
    assert night.alerts.warn_of_budget("s", "spent 4 of 5", START) == night.alerts.notice(
        Notice(budget_warning("Relay", "spent 4 of 5", english)), START
    )


def test_a_spent_budget_is_told_once_in_a_sentence() -> None:
    why = "spent 5 of 5 tokens today; paid probes go on tomorrow (UTC)"
    assert budget_spent("Relay", why, language("en")).splitlines() == [
        "💰 Relay: paid checks pause until tomorrow (UTC)",
        "Spent 5 of 5 tokens today.",
    ]
    assert budget_spent("Relay", why, language("zh-CN")).splitlines()[1] == "今日已用 5 / 5 token。"


def test_windows_of_checks_that_left_are_forgotten() -> None:
    settings = AlertSettings(policies=(FailureRate(above=0.5, at_least=3),))
    night = Night(settings=settings)
    night.see("s/a/chat", FailureKind.SERVER_ERROR, times=2)
    night.keep(night.alerts.forget({"s/b/chat"}, night.now))
    night.see("s/a/chat", FailureKind.SERVER_ERROR, times=2)
    assert night.messages == []


def test_a_balance_that_runs_low_is_told_once_until_it_is_topped_up_and_is_no_incident() -> None:
    night = Night()

    def reads(
        amount: float | None, days_left: float | None, *, is_refilled: bool = False
    ) -> list[str]:
        balance = Balance(
            amount=amount, currency="USD", days_left=days_left, is_refilled=is_refilled
        )
        result = Result(
            check="s/a/balance", vantage="local", at=START, outcome=Outcome.UP, balance=balance
        )
        changes = night.alerts.judge(result)
        assert changes.incidents == ()
        return [row.text for row in changes.outgoing]

    assert reads(20, 9.0) == []
    (told,) = reads(3.0, 1.5)
    assert told.splitlines()[1:] == [
        "got a balance of 3.00 USD, which lasts 1.5 days at this rate, want more",
        "Top up the account.",
    ]
    assert reads(2.0, 1.0) == []
    assert reads(None, None) == []
    assert reads(50.0, None) == []
    assert reads(50.0, 25.0) == []
    (told,) = reads(0.0, None)
    assert "got a balance of 0.00 USD, want more" in told
    assert reads(5.0, None) == []  # other money: of the first nothing more is known
    assert reads(0.0, None) == []
    assert reads(5.0, None, is_refilled=True) == []
    (told,) = reads(0.0, None)
    assert "got a balance of 0.00 USD, want more" in told
