"""What Prometheus reads, as Prometheus's own tools judge it."""

import re
import shutil
import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metrics_cast import AT, DOWN, FROM_CN, GOOD, READING, WITH_CN, check, exposed, samples
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as strict_metric_families,
)
from prometheus_client.parser import text_string_to_metric_families

from monitor.metrics import SECONDS, TOKENS_PER_S, Metrics
from monitor.model import (
    Balance,
    Failure,
    FailureKind,
    Outcome,
    Result,
    RunRecord,
    Timings,
)

ROOT = Path(__file__).parents[1]
RULES = ROOT / "docs" / "grafana" / "alerts.yml"
PAGE = (ROOT / "docs" / "metrics.md").read_text()


@pytest.fixture
def metrics() -> Metrics:
    made = Metrics()
    made.due("s/a/chat", "here", 0)
    made.ran(GOOD)
    made.due("s/b/chat", "here", 3)
    made.ran(DOWN)
    made.ran(DOWN)
    made.lagged(0.002)
    return made


def test_the_last_run_of_every_check_is_there_in_blackbox_exporters_names(
    metrics: Metrics,
) -> None:
    found = samples(exposed(metrics))
    a = (("endpoint", "a"), ("probe", "chat"), ("service", "s"), ("vantage", "here"))
    b = (("endpoint", "b"), ("probe", "chat"), ("service", "s"), ("vantage", "here"))

    def of(name: str, labels: tuple[tuple[str, str], ...], **more: str) -> float | None:
        return found.get((name, tuple(sorted((*labels, *more.items())))))

    assert (of("probe_success", a), of("probe_success", b)) == (1, 0)
    assert of("probe_duration_seconds", a) == 1.0
    assert of("probe_duration_seconds", b) is None
    assert {
        phase: of("probe_http_duration_seconds", a, phase=phase)
        for phase in ("resolve", "connect", "tls", "processing", "transfer")
    } == {"resolve": 0.001, "connect": 0.002, "tls": 0.003, "processing": 0.094, "transfer": 0.9}
    assert of("probe_ssl_earliest_cert_expiry", a) == (AT + timedelta(days=30)).timestamp()
    assert of("probe_time_to_first_token_seconds", a) == 0.25
    assert of("probe_tokens_per_second", a) == 42.5
    assert of("probe_http_status_code", a) == 200
    assert of("probe_runs_total", b, outcome="down") == 2
    assert of("probe_failures_total", b, kind="tcp_refused", fault="endpoint") == 2
    assert of("probe_missed_runs_total", b) == 3
    assert of("monitor_schedule_lateness_seconds_count", ()) == 3
    assert of("monitor_loop_lag_seconds_count", ()) == 1
    assert of("monitor_outbox_messages", (), channel="phone") == 2
    assert of("monitor_open_incidents", (), service="s", severity="down") == 1
    assert of("monitor_open_incidents", (), service="", severity="monitor") == 1
    assert of("monitor_spent_today_tokens", (), service="s", vantage="fra") == 1200
    assert of("monitor_spent_today_tokens", (), service="s", vantage="cn") == 7
    assert of("monitor_spent_today_money", (), service="s", vantage="fra", currency="USD") == 0.25
    assert of("monitor_budget_used_ratio", (), service="s") == 0.5
    assert of("monitor_build_info", (), version="0.1.0", vantage="here") == 1


def test_what_we_cannot_see_is_neither_success_nor_failure(metrics: Metrics) -> None:
    metrics.ran(
        replace(GOOD, outcome=Outcome.UNKNOWN, failure=Failure(FailureKind.OFFLINE, "offline"))
    )
    assert 'probe_success{endpoint="a"' not in exposed(metrics)


def test_a_check_that_left_the_configuration_leaves_here_too_and_comes_back_fresh(
    metrics: Metrics,
) -> None:
    without = replace(READING, checks=(check("a"),))
    assert 'endpoint="b"' in exposed(metrics)
    assert 'endpoint="b"' not in exposed(metrics, without)
    assert 'probe_success{endpoint="b"' not in exposed(metrics)


def test_health_is_what_healthz_says(metrics: Metrics) -> None:
    assert "monitor_healthy 1.0" in exposed(metrics)
    assert "monitor_healthy 0.0" in exposed(metrics, replace(READING, trouble="store: full"))


def test_a_hundred_checks_of_everything_that_can_happen_stay_few_series(metrics: Metrics) -> None:
    """Labels are ids and closed lists: what endpoints send cannot make new ones."""
    for number, kind in enumerate(FailureKind):
        outcome = Outcome.DOWN if number % 2 else Outcome.DEGRADED
        metrics.ran(
            replace(
                GOOD,
                outcome=outcome,
                failure=Failure(kind, f"message {number}"),
                model=f"m{number}",
            )
        )
    per_check = [line for line in exposed(metrics).splitlines() if 'endpoint="a"' in line]
    histograms = 2 * (len(SECONDS) + 3) + len(TOKENS_PER_S) + 3
    assert len(per_check) <= 20 + histograms + len(FailureKind)
    assert not any("message" in line or "m1" in line for line in per_check)


def test_openmetrics_is_spoken_to_who_asks_for_it_and_says_the_same(metrics: Metrics) -> None:
    body, kind = metrics.report(READING, "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    strict = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in strict_metric_families(body.decode())
        for sample in family.samples
    }
    assert strict == samples(exposed(metrics))


A_CHECK = 'service="s",endpoint="a",probe="chat",vantage="here"'


def histogram(text: str, name: str, labels: str = A_CHECK) -> tuple[dict[str, float], float, float]:
    """The cumulative buckets by bound, the sum and the count."""
    found = samples(text)
    own = tuple(re.findall(r'(\w+)="([^"]*)"', labels))
    buckets = {
        dict(more)["le"]: value
        for (sample, more), value in found.items()
        if sample == f"{name}_bucket" and set(own) <= set(more)
    }
    key = tuple(sorted(own))
    return buckets, found[f"{name}_sum", key], found[f"{name}_count", key]


def test_every_answered_run_is_in_one_bucket_of_each_figure(metrics: Metrics) -> None:
    metrics.ran(replace(GOOD, timings=Timings(ttft=320.0, total=90_000)))  # at a bound, above all
    buckets, total, count = histogram(exposed(metrics), "probe_run_time_to_first_token_seconds")
    assert list(buckets) == [*map(str, SECONDS), "+Inf"]
    assert [buckets[le] for le in ("0.16", "0.32", "0.64", "+Inf")] == [0, 2, 2, 2]
    assert (total, count) == (0.25 + 0.32, 2)
    buckets, total, count = histogram(exposed(metrics), "probe_run_duration_seconds")
    assert [buckets[le] for le in ("0.64", "1.28", "81.92", "+Inf")] == [0, 1, 1, 2]
    assert (total, count) == (91.0, 2)
    buckets, total, count = histogram(exposed(metrics), "probe_run_tokens_per_second")
    assert [buckets[le] for le in ("40.0", "60.0", "+Inf")] == [0, 2, 2]
    assert (total, count) == (85.0, 2)


@given(st.lists(st.floats(0.001, 200_000), min_size=1))
def test_the_buckets_are_what_counting_one_by_one_gives(milliseconds: list[float]) -> None:
    metrics = Metrics()
    for ttft in milliseconds:
        metrics.ran(replace(GOOD, timings=Timings(ttft=ttft)))
    buckets, total, count = histogram(exposed(metrics), "probe_run_time_to_first_token_seconds")
    rising = sorted(ms / 1000 for ms in milliseconds)
    assert [*buckets.values()] == [
        *(sum(value <= bound for value in rising) for bound in SECONDS),
        len(rising),
    ]
    assert count == len(rising)
    assert total == pytest.approx(sum(rising))


@pytest.mark.parametrize(
    "left_out",
    [
        replace(GOOD, trusted_timings=False),
        replace(GOOD, outcome=Outcome.DOWN, failure=Failure(FailureKind.SERVER_ERROR, "500")),
        replace(GOOD, outcome=Outcome.UNKNOWN, failure=Failure(FailureKind.OFFLINE, "offline")),
    ],
)
def test_what_statistics_leave_out_is_in_no_bucket(metrics: Metrics, left_out: Result) -> None:
    before = [line for line in exposed(metrics).splitlines() if line.startswith("probe_run_")]
    metrics.ran(left_out)
    assert [
        line for line in exposed(metrics).splitlines() if line.startswith("probe_run_")
    ] == before


def test_a_figure_that_a_check_never_had_has_no_histogram(metrics: Metrics) -> None:
    assert not [
        line
        for line in exposed(metrics).splitlines()
        if line.startswith("probe_run_") and 'endpoint="b"' in line
    ]


def of_cn(text: str, name: str, **more: str) -> float | None:
    labels = {"service": "s", "endpoint": "a", "probe": "chat", "vantage": "cn", **more}
    return samples(text).get((name, tuple(sorted(labels.items()))))


def test_a_hub_has_the_runs_of_its_agents_under_their_vantage(metrics: Metrics) -> None:
    metrics.heard(RunRecord(result=FROM_CN, kind="chat", missed=2))
    text = exposed(metrics, WITH_CN)
    assert of_cn(text, "probe_success") == 1
    assert of_cn(text, "probe_runs_total", outcome="up") == 1
    assert of_cn(text, "probe_missed_runs_total") == 2
    assert of_cn(text, "probe_run_time_to_first_token_seconds_bucket", le="1.28") == 1
    assert histogram(text, "probe_run_duration_seconds")[2] == 1
    assert samples(text)["monitor_schedule_lateness_seconds_count", ()] == 3, "our own runs"
    assert 'vantage="cn"' not in "".join(
        line for line in exposed(metrics).splitlines() if line.startswith("probe_")
    ), "it left the configuration"


def test_a_run_that_comes_after_newer_ones_is_counted_and_is_not_the_last(metrics: Metrics) -> None:
    metrics.heard(RunRecord(result=FROM_CN, kind="chat"))
    old = replace(FROM_CN, at=AT - timedelta(hours=1), http_status=503)
    metrics.heard(RunRecord(result=old, kind="chat"))
    text = exposed(metrics, WITH_CN)
    assert of_cn(text, "probe_http_status_code") == 200
    assert of_cn(text, "probe_last_run_timestamp_seconds") == AT.timestamp()
    assert of_cn(text, "probe_runs_total", outcome="up") == 2


def test_of_a_place_that_is_not_heard_there_is_no_last_run_and_its_counts_stay(
    metrics: Metrics,
) -> None:
    metrics.heard(RunRecord(result=FROM_CN, kind="chat"))
    text = exposed(metrics, replace(WITH_CN, silent={"cn"}))
    assert of_cn(text, "probe_success") is None
    assert of_cn(text, "probe_last_run_timestamp_seconds") is None
    assert of_cn(text, "probe_runs_total", outcome="up") == 1
    assert of_cn(text, "probe_run_duration_seconds_count") == 1
    assert of_cn(exposed(metrics, WITH_CN), "probe_success") == 1


def test_a_check_that_was_not_asked_yet_has_counts_of_nothing(metrics: Metrics) -> None:
    lines = [line for line in exposed(metrics).splitlines() if 'endpoint="never-asked"' in line]
    assert [line.split("{")[0] for line in lines] == 4 * ["probe_runs_total"] + [
        "probe_missed_runs_total"
    ]
    assert {line.rsplit(" ", 1)[1] for line in lines} == {"0.0"}


def test_what_a_relay_calls_its_currency_cannot_end_a_label(metrics: Metrics) -> None:
    name = 'a"} 1\nprobe_success{x="\\'
    metrics.ran(replace(GOOD, balance=Balance(amount=3.5, currency=name)))
    found = [key for key in samples(exposed(metrics)) if key[0] == "probe_balance"]
    assert [dict(labels)["currency"] for _, labels in found] == [name]


def test_a_scrape_of_a_thousand_streams_holds_up_the_loop_for_less_than_a_lag_that_counts() -> None:
    metrics = Metrics()
    many = replace(READING, checks=tuple(check(f"endpoint-{number}") for number in range(1000)))
    for one in many.checks:
        metrics.ran(replace(GOOD, check=one.key))
    assert exposed(metrics, many).count("\n") > 60_000
    took = []
    for _ in range(3):
        begin = time.thread_time()
        metrics.report(many, "")
        took.append(time.thread_time() - begin)
    assert min(took) < 0.05  # seconds: timings with more lag are not trusted


def test_of_an_agent_it_says_when_it_was_heard_its_clock_and_what_waits_there(
    metrics: Metrics,
) -> None:
    found = samples(exposed(metrics))
    cn = (("vantage", "cn"),)
    assert {name: value for (name, labels), value in found.items() if labels == cn} == {
        "monitor_vantage_heard_timestamp_seconds": AT.timestamp(),
        "monitor_vantage_clock_offset_seconds": 1.5,
        "monitor_agent_buffered_results": 4,
        "monitor_agent_oldest_seconds": 2.5,
        "monitor_ingest_results_total": 9,
        "monitor_ingest_repeated_total": 0,
    }


def promtool(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return subprocess.run(
        ["promtool", *arguments], input=stdin, capture_output=True, text=True, check=False
    )


def test_promtool_finds_nothing_to_say(metrics: Metrics) -> None:
    done = promtool("check", "metrics", stdin=exposed(metrics))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_promtool_would_find_a_planted_mistake() -> None:
    done = promtool("check", "metrics", stdin="# TYPE x counter\nx 1\n")
    assert done.returncode != 0


def test_the_alert_rules_are_sound_and_fire_when_they_should(tmp_path: Path) -> None:
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    rules = tmp_path / "rules_test.yml"
    rules.write_text(
        (Path(__file__).parent / "rules_test.yml").read_text().replace("RULES", str(RULES))
    )
    done = promtool("test", "rules", rules)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_and_asks_for_metrics_that_exist(metrics: Metrics) -> None:
    rules = RULES.read_text()
    tested = (Path(__file__).parent / "rules_test.yml").read_text()
    for name in re.findall(r"- alert: (\w+)", rules):
        assert f"alertname: {name}" in tested, name
    asked = set(
        re.findall(
            r"\b(?:probe|monitor)_[a-z_]+[a-z]\b", "\n".join(re.findall(r"expr: (.*)", rules))
        )
    )
    assert asked
    metrics.ran(replace(GOOD, balance=Balance(amount=3.5, currency="USD", days_left=2.0)))
    given = {name for name, _ in samples(exposed(metrics))}
    assert asked <= given


def test_every_metric_has_a_row_and_every_row_a_metric(metrics: Metrics) -> None:
    families = {
        family.name
        + ("_total" if family.type == "counter" else "_info" if family.type == "info" else "")
        for family in text_string_to_metric_families(exposed(metrics))
    }
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == families
