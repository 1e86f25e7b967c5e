"""The commands as a person and a script meet them: what is printed, and the exit status."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import command_cast
import pytest
from command_cast import MONITOR
from receiver import SECRET
from telegram import CHAT, TOKEN, telegram

from monitor.clock import SystemClock
from monitor.demo.api_common import CHAT_MODEL
from monitor.demo.launcher import Simulation
from monitor.model.result import TIMING_NAMES
from monitor.store import Store

PAST_HOUR = "http://127.0.0.1:9"


def monitor(
    *arguments: str | Path, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return command_cast.monitor(
        *arguments,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", **(env or {})},
    )


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    with Simulation(
        tmp_path_factory.mktemp("sim"), clock=SystemClock(), port=0, is_calm=True
    ) as running:
        yield running


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    """A config of one endpoint where nobody listens."""
    (tmp_path / "monitor.toml").write_text(
        f'[monitor]\nlisten = ""\n[service.a]\nendpoints = {{ x = "{PAST_HOUR}" }}\n'
    )
    return tmp_path


def test_a_good_config_is_summed_up_in_a_line(dead: Path) -> None:
    done = monitor("validate", cwd=dead)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout == f"{dead}/monitor.toml: good. 1 service, 1 endpoint, 1 check, 0 channels.\n"
    )


@pytest.mark.parametrize("command", ["run", "once", "validate", "status", "render", "test-alert"])
def test_a_bad_config_ends_any_command_with_78_and_every_complaint(
    tmp_path: Path, command: str
) -> None:
    (tmp_path / "monitor.toml").write_text("[alerts]\nafer = 3\n[service.a]\nendpoints = {}\n")
    done = monitor(command, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines() == [
        "monitor.toml has 2 problems:",
        'alerts.afer: unknown key; did you mean "after"?',
        "service.a.endpoints: is empty",
    ]


def test_no_config_at_all_says_where_it_was_looked_for(tmp_path: Path) -> None:
    done = monitor("validate", cwd=tmp_path)
    assert done.returncode == 78
    assert "there is no monitor.toml or /etc/monitor/monitor.toml; write one" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["run", "--nonsense"], ["run", "--log-level", "LOUD"]]
)
def test_wrong_usage_ends_with_2(dead: Path, arguments: list[str]) -> None:
    done = monitor(*arguments, cwd=dead)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_once_prints_the_document_of_the_contract(simulation: Simulation) -> None:
    priced = simulation.folder / "priced.toml"
    price = f'[price."{CHAT_MODEL}"]\nin = 1.0\nout = 10.0\n'
    priced.write_text(Path(simulation.config_path).read_text() + price)
    done = monitor("once", "--json", "-c", priced, cwd=simulation.folder, env=simulation.env)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)

    assert list(document) == ["vantage", "checks"]
    assert len(document["checks"]) == 18
    assert {check["outcome"] for check in document["checks"]} == {"up"}
    chat = next(check for check in document["checks"] if check["check"] == "demo/us-direct/chat")
    assert list(chat) == [
        "check",
        "service",
        "endpoint",
        "probe",
        "kind",
        "at",
        "outcome",
        "failure",
        "timings_ms",
        "http_status",
        "remote_ip",
        "model",
        "stream",
        "usage",
    ]
    assert list(chat["timings_ms"]) == list(TIMING_NAMES)
    assert list(chat["stream"]) == [
        "events",
        "content_chunks",
        "tokens_out",
        "tokens_per_s",
        "stall_max_ms",
        "icl_p50_ms",
        "icl_p95_ms",
        "finish_reason",
        "complete",
    ]
    usage = chat["usage"]
    assert list(usage) == ["tokens_in", "tokens_out", "cost_usd"]
    assert usage["cost_usd"] == pytest.approx((usage["tokens_in"] + 10 * usage["tokens_out"]) / 1e6)
    assert (chat["failure"], chat["http_status"], chat["remote_ip"]) == (None, 200, "127.0.0.1")
    assert chat["timings_ms"]["tls"] > 0
    assert chat["timings_ms"]["ttfb"] < chat["timings_ms"]["ttft"] < chat["timings_ms"]["total"]
    models = next(
        check for check in document["checks"] if check["check"] == "demo/us-direct/models"
    )
    assert (models["stream"], models["usage"], models["timings_ms"]["ttft"]) == (None, None, None)


def test_once_ends_with_1_when_one_is_down_and_says_why(dead: Path) -> None:
    done = monitor("once", "--json", cwd=dead)
    failure = json.loads(done.stdout)["checks"][0]["failure"]

    assert done.returncode == 1
    assert (failure["kind"], failure["fault"]) == ("tcp_refused", "endpoint")
    assert monitor("once", cwd=dead).stdout.count("tcp_refused") == 1


def test_once_begins_its_first_runs_apart_so_that_their_handshakes_do_not_wait_for_each_other(
    tmp_path: Path,
) -> None:
    endpoints = ", ".join(f'e{number:02} = "{PAST_HOUR}"' for number in range(20))
    (tmp_path / "monitor.toml").write_text(
        f'[monitor]\nlisten = ""\n[service.a]\nendpoints = {{ {endpoints} }}\n'
    )
    checks = json.loads(monitor("once", "--json", cwd=tmp_path).stdout)["checks"]
    starts = sorted(datetime.fromisoformat(check["at"]) for check in checks)
    assert len(starts) == 20
    assert starts[-1] - starts[0] >= timedelta(seconds=0.18)


def test_once_asks_the_services_endpoints_and_checks_that_are_named(simulation: Simulation) -> None:
    def asked(*targets: str) -> list[str]:
        done = monitor(
            "once",
            *targets,
            "--json",
            "-c",
            simulation.config_path,
            cwd=simulation.folder,
            env=simulation.env,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [check["check"] for check in json.loads(done.stdout)["checks"]]

    assert len(asked("demo")) == 18
    assert asked("demo/proxy-1", "demo/us-direct/models") == [
        "demo/us-direct/models",
        "demo/proxy-1/models",
        "demo/proxy-1/chat",
        "demo/proxy-1/embeddings",
    ]


def test_a_target_that_nothing_is_called_has_a_hint(dead: Path) -> None:
    done = monitor("once", "a/x/htp", cwd=dead)
    assert (done.returncode, done.stdout) == (1, "")
    assert 'nothing is called "a/x/htp"; want SERVICE' in done.stderr
    assert 'did you mean "a/x/http"?' in done.stderr


def test_asking_and_diagnosing_need_no_secrets_of_channels(dead: Path) -> None:
    text = (dead / "monitor.toml").read_text()
    channel = '[channel.a]\nurl = "tgram://${TOKEN}/${CHAT}"\n'
    (dead / "monitor.toml").write_text(text + channel)
    assert "tcp_refused" in monitor("once", cwd=dead).stdout
    assert "verdict" in monitor("diagnose", PAST_HOUR, cwd=dead).stdout
    assert monitor("test-alert", cwd=dead).returncode == 78
    proxy = text.replace(f'"{PAST_HOUR}"', f'{{ url = "{PAST_HOUR}", proxy = "${{PROXY}}" }}')
    (dead / "monitor.toml").write_text(proxy)
    done = monitor("diagnose", PAST_HOUR, cwd=dead)
    assert done.returncode == 78
    assert "${PROXY} is not set" in done.stderr


def test_a_store_that_a_daemon_left_in_its_first_second_has_no_history_yet(dead: Path) -> None:
    (dead / "monitor.db").touch()
    for command in (
        "status",
        "history a/x/http",
        "incidents",
        "export",
        "backup c",
        "render",
        "silence all",
    ):
        done = monitor(*command.split(), cwd=dead)
        assert (done.returncode, done.stdout) == (1, ""), command
        assert "no history yet" in done.stderr, command
    assert not (dead / "c").exists()


async def test_a_check_that_was_never_asked_has_no_history_yet(dead: Path) -> None:
    store = Store(f"sqlite:///{dead / 'monitor.db'}", clock=SystemClock())
    store.open()
    await store.close()
    for command in ("history a/x/http", "export --check a/x/http"):
        done = monitor(*command.split(), cwd=dead)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "there is no history yet of a/x/http: it was never asked\n"


def test_status_and_render_without_a_store_say_so(dead: Path) -> None:
    for command in ("status", "render"):
        done = monitor(command, cwd=dead)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "monitor.db" in done.stderr


@pytest.mark.slow
def test_the_daemon_runs_stops_politely_and_leaves_what_the_other_commands_read(dead: Path) -> None:
    text = (
        (dead / "monitor.toml")
        .read_text()
        .replace("[service.a]", '[service.a]\nprobes = { http = "1s" }')
    )
    (dead / "monitor.toml").write_text(text)
    daemon = subprocess.Popen([MONITOR, "run"], cwd=dead, stderr=subprocess.PIPE, text=True)
    seen = monitor("status", "--json", cwd=dead)
    end = time.monotonic() + 90
    while seen.returncode or not json.loads(seen.stdout)["incidents"]:
        assert time.monotonic() < end, seen.stderr
        seen = monitor("status", "--json", cwd=dead)
    lines = monitor("status", cwd=dead).stdout.splitlines()
    checked = monitor("check", "a/x/http", cwd=dead)
    daemon.send_signal(signal.SIGTERM)
    _, log = daemon.communicate(timeout=30)

    assert daemon.returncode == 0
    assert re.fullmatch(
        rf"The daemon has been running for \d+s \(process {daemon.pid}\)\.", lines[0]
    )
    assert lines[1] == "a: no base URL is known to work well now."
    assert (checked.returncode, checked.stderr) == (1, "")
    assert checked.stdout.splitlines()[1].split()[:2] == ["a/x/http", "down"]
    assert json.loads(seen.stdout)["checks"][0]["latest"]["failure"]["kind"] == "tcp_refused"
    assert [incident["severity"] for incident in json.loads(seen.stdout)["incidents"]] == ["down"]
    assert "event=run check=a/x/http outcome=down kind=tcp_refused" in log
    assert "Monitoring stopped at" in (dead / "page" / "index.html").read_text()
    assert monitor("render", cwd=dead).returncode == 0
    assert "Monitoring stopped at" not in (dead / "page" / "index.html").read_text()
    assert "a/x/http" in monitor("status", cwd=dead).stdout
    assert monitor("status", cwd=dead).stdout.startswith("No daemon runs;")
    done = monitor("check", "a/x/http", cwd=dead)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no daemon runs; start one with `monitor run`" in done.stderr


@pytest.mark.slow
def test_a_check_of_the_running_daemon_runs_now_and_not_in_an_hour(dead: Path) -> None:
    text = (dead / "monitor.toml").read_text()
    hourly = text.replace("[service.a]", '[service.a]\nprobes = { http = "1h" }')
    (dead / "monitor.toml").write_text(hourly)

    def runs() -> list[str]:
        return monitor("export", cwd=dead).stdout.splitlines()[1:]

    with subprocess.Popen([MONITOR, "run"], cwd=dead, stderr=subprocess.PIPE, text=True) as daemon:
        end = time.monotonic() + 60
        while len(runs()) != 1:  # the first run of a check comes soon after the start
            assert time.monotonic() < end
        done = monitor("check", "a/x/http", cwd=dead)
        seen = runs()
        daemon.terminate()
        _, log = daemon.communicate(timeout=30)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[1].split()[:2] == ["a/x/http", "down"]
    assert len(seen) >= 2  # what is down is asked again by itself, too
    assert "event=request what=check target=a/x/http" in log

    history, page = [*dead.glob("monitor.db*")], dead / "page"
    assert history
    for private in (*history, page / ".monitor-files.json"):
        assert private.stat().st_mode & 0o137 == 0, private
    assert [path.stat().st_mode & 0o777 for path in (page, page / "index.html")] == [0o755, 0o644]


async def test_a_test_alert_names_the_channels_that_failed(dead: Path) -> None:
    import asyncio

    async with telegram() as phone, telegram() as broken:
        broken.down = True
        text = (dead / "monitor.toml").read_text()
        for name, fake in (("good", phone), ("bad", broken)):
            text += f'[channel.{name}]\nurl = "tgram://${{TOKEN}}/{CHAT}"\ntelegram_api = "{fake.url}"\n'
        (dead / "monitor.toml").write_text(text)
        done = await asyncio.to_thread(monitor, "test-alert", cwd=dead, env={"TOKEN": TOKEN})

    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "good: sent"
    assert done.stdout.splitlines()[1].startswith("bad: failed: ")
    assert phone.messages[0].startswith("Test message from monitor")
    assert TOKEN not in done.stdout + done.stderr


async def test_a_test_alert_shows_what_an_incident_would_send(dead: Path) -> None:
    import asyncio

    async with telegram() as phone:
        text = (dead / "monitor.toml").read_text()
        for name, more in (("good", ""), ("quiet", 'only = ["account"]\n')):
            text += (
                f'[channel.{name}]\nurl = "tgram://${{TOKEN}}/{CHAT}"\n'
                f'telegram_api = "{phone.url}"\n{more}'
            )
        (dead / "monitor.toml").write_text(text)

        async def test_alert(*words: str) -> tuple[int, str]:
            done = await asyncio.to_thread(
                monitor,
                "test-alert",
                *words,
                cwd=dead,
                env={"TOKEN": TOKEN, "WEBHOOK_SECRET": SECRET},
            )
            return done.returncode, done.stdout + done.stderr

        left_out = "quiet: nothing sent: its `only` or `services` leave out what this would be\n"
        assert await test_alert("--as", "opened") == (0, f"good: sent: down\n{left_out}")
        assert await test_alert("good", "--as", "degraded") == (0, "good: sent: degraded\n")
        assert await test_alert("good", "--as", "ended") == (0, "good: sent: ended\n")
        nothing = 'there is no channel or webhook "bad", only good, quiet\n'
        assert await test_alert("bad") == (1, nothing)
        assert (await test_alert("--as", "other"))[0] == 2
    titles = [message.splitlines()[0] for message in phone.messages]
    assert titles == [
        "[TEST] 🔴 a, x: down",
        "[TEST] 🟡 a, x: degraded",
        "[TEST] ✅ a, x: recovered, was down for 3m",
    ]
    assert phone.messages[0].splitlines()[-1] == "This is a test: nothing of it was measured."


def test_a_test_alert_without_a_channel_says_what_to_add(dead: Path) -> None:
    done = monitor("test-alert", cwd=dead)
    assert done.returncode == 78
    assert "add a table such as [channel.telegram]" in done.stderr


def test_the_schema_is_a_json_schema_of_the_file(dead: Path) -> None:
    document = json.loads(monitor("schema", cwd=dead).stdout)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(document["properties"]) == {
        "monitor",
        "page",
        "alerts",
        "history",
        "channel",
        "service",
        "webhook",
        "price",
        "maintenance",
        "vantage",
        "verdict",
        "agent",
    }


def test_the_version_is_the_packages(dead: Path) -> None:
    assert monitor("--version", cwd=dead).stdout == "monitor 0.1.0\n"
