"""Every command that a page shows in a block is run: here, or in a test that is named here."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from lived import environment, live, shell

ROOT = Path(__file__).parents[2]
PAGES = {each: (ROOT / each).read_text() for each in ("README.md", "docs/operating.md")}
ALL = "\n".join(
    path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
)
HERE = ("monitor validate", "echo '17 3 * * *", "systemctl stop monitor")
"""How the blocks begin of which this file runs every line."""
SERVICE = ("tests/service/test_service.py", "wants a machine, and takes these lines from the page")
CARRIER = (
    "tests/daemon/test_publish_command.py",
    "takes these lines from the page before a real push",
)
CONTAINER = ("tests/service/test_container.py", "wants a container engine")
COMPOSE = ("tests/test_package.py", "wants a container engine; the file is held to the line for it")
DEBIAN = ("tests/service/test_debian.py", "wants a machine")
SERVER = ("tests/cli/test_store_on_a_server.py", "takes these lines from the page to a real server")
AGENT = ("tests/agent/test_two_places.py", "wants two daemons")
PLACES = (
    "tests/test_package.py",
    "wants a container engine; the file is held to its specification",
)
ELSEWHERE = {
    'monitor agent add cn --name "Shanghai" --url https://status.example.org': AGENT,
    "monitor agent https://status.example.org": AGENT,
    "monitor agent add cn --another --url https://status.example.org": (
        "tests/agent/test_shared_place.py",
        "wants several daemons",
    ),
    "make demo": ("tests/cli/test_demo.py", "takes minutes"),
    "make test": (".ci/run", "is what runs this"),
    "make quick": ("tests/test_docs.py", "is a part of what runs this"),
    "make check": (".ci/run", "runs its parts"),
    "make format": ("tests/test_docs.py", "would rewrite what is tested"),
    "python3 -m venv /opt/monitor && /opt/monitor/bin/pip install -c constraints.txt .": SERVICE,
    "cp systemd/*.service /etc/systemd/system/ && cp -r systemd/sysusers.d systemd/tmpfiles.d /etc/": SERVICE,
    "systemd-sysusers monitor.conf && systemd-tmpfiles --create monitor.conf": SERVICE,
    "install -m 644 monitor.toml /etc/monitor/": SERVICE,
    "systemctl daemon-reload && systemctl enable --now monitor": SERVICE,
    "git init -q -b main": CARRIER,
    "git -c user.name=monitor -c user.email=monitor@localhost commit -q --allow-empty -m Status": CARRIER,
    "git config user.name monitor && git config user.email monitor@localhost": CARRIER,
    "git remote add origin git@github.com:you/status.git": CARRIER,
    "apt install build-essential debhelper python3-venv": DEBIAN,
    "make deb": DEBIAN,
    "apt install ./build/deb/monitor_*.deb": DEBIAN,
    '/opt/monitor/bin/pip install "monitor[postgres]"': (
        "tests/test_package.py",
        "would ask a registry for monitor",
    ),
    "runuser -u postgres -- createuser monitor --pwprompt": SERVER,
    "runuser -u postgres -- createdb monitor --owner=monitor --encoding=UTF8": SERVER,
    "runuser -u monitor -- env STORE_PASSWORD=… /opt/monitor/bin/monitor move"
    " 'postgresql://monitor:${STORE_PASSWORD}@db.example.com/monitor?sslmode=verify-full'": (
        "tests/cli/test_move_command.py",
        "wants a server",
    ),
    "docker compose up -d --build": COMPOSE,
    "docker compose exec monitor monitor status": COMPOSE,
    "cd docs/compose": PLACES,
    "mkdir hub secrets && openssl rand -hex 24 > secrets/STORE_PASSWORD": PLACES,
    "vi hub/monitor.toml": PLACES,
    "chown -R 10001 hub secrets": PLACES,
    "docker compose up -d --build --wait hub": PLACES,
    "for place in cn us; do docker compose exec -T hub monitor agent add $place --url http://hub:8080"
    " --config /etc/monitor/monitor.toml | tail -1 > secrets/$place.line; done": PLACES,
    "chown 10001 secrets/*.line && chmod 600 secrets/*.line": PLACES,
    "docker compose up -d": PLACES,
    "docker build -t monitor .": CONTAINER,
    "docker run -d --read-only --tmpfs /tmp --stop-timeout 60 -p 127.0.0.1:8080:8080"
    " -v monitor:/var/lib/monitor -v ./monitor.toml:/etc/monitor/monitor.toml:ro"
    " -v ./secrets:/run/secrets:ro monitor": CONTAINER,
}
"""Whole lines that another test runs, and why this one does not."""
FENCES = {"", "html", "sh", "toml", "yaml", "mermaid", "sql", "promql", "python"}
"""What blocks hold: commands stand in those of `sh`, where they are found."""


def blocks() -> list[list[str]]:
    found = re.findall(r"```sh\n(.*?)```", ALL, re.DOTALL)
    lines = [[line.split("  #")[0].strip() for line in each.splitlines()] for each in found]
    return [[line for line in each if line and not line.startswith("#")] for each in lines]


def block(start: str) -> str:
    [found] = [each for each in blocks() if each[0].startswith(start)]
    return "\n".join(found)


def test_every_command_of_a_block_is_run_here_or_in_a_test_that_exists() -> None:
    rest = {line for each in blocks() if not each[0].startswith(HERE) for line in each}
    assert rest == set(ELSEWHERE)
    for where, _ in ELSEWHERE.values():
        assert (ROOT / where).exists(), where


def test_commands_stand_in_blocks_that_are_read() -> None:
    assert set(re.findall(r"^ *(?:```|~~~) *(\w*)", ALL, re.MULTILINE)) <= FENCES
    assert "~~~" not in ALL


def test_every_program_and_make_target_that_a_page_names_is_there_with_its_options() -> None:
    """Spans such as `python tests/mutation.py --show` and `make proof`, in prose and tables."""
    spans = {
        " ".join(each.split()) for each in re.findall(r"(?<!`)`((?:python|make)\s[^`]+)`", ALL)
    }
    assert len(spans) > 5
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for program, what, *rest in map(str.split, spans):
        if program == "make":
            assert what in targets
            assert all(re.fullmatch("EXTRAS=[a-z,]+", word) for word in rest)
            continue
        source = (ROOT / what).read_text()
        assert [each for each in rest if each.startswith("--") and f'"{each}"' not in source] == []


class Fine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Fine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lived")
    live(folder)
    return folder


def stand_in(folder: Path, name: str) -> Path:
    """A command that only notes what it was asked."""
    bin_, noted = folder / "bin", folder / f"{name}.asked"
    bin_.mkdir(exist_ok=True)
    (bin_ / name).write_text(f'#!/bin/sh\necho "$@" >> {noted}\n')
    (bin_ / name).chmod(0o755)
    return noted


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    done = shell(f'set -e; PATH="{folder}/bin:$PATH"\n{script}', folder)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done


@pytest.mark.slow
def test_the_first_three_commands(tmp_path: Path, url: str) -> None:
    (tmp_path / "monitor.toml").write_text(
        f'[monitor]\nlisten = ""\n[service.a]\nendpoints = {{ x = "{url}" }}\n'
    )
    *first, last = block("monitor validate").splitlines()
    assert "good. 1 service" in run("\n".join(first), tmp_path).stdout
    with subprocess.Popen(
        last.split(), cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stderr is not None
        assert any("event=started" in line for line in daemon.stderr)
        daemon.terminate()
        assert "event=stopped" in daemon.stderr.read()
    assert daemon.returncode == 0


@pytest.mark.slow
def test_the_line_for_cron_backs_up_and_the_restore_restores(lived: Path) -> None:
    """As cron has it, where no token is in the environment and the credentials are root's alone."""
    with (lived / "monitor.toml").open("a") as file:
        file.write('[channel.telegram]\nurl = "tgram://${TELEGRAM_TOKEN}/${TELEGRAM_CHAT}"\n')
    asked = stand_in(lived, "systemctl")
    cron, here = lived / "monitor-backup", str(lived)
    run(block("echo '17 3").replace("/etc/cron.d/monitor-backup", str(cron)), lived)
    *when, user, command = cron.read_text().split(maxsplit=6)
    assert (when, user) == (["17", "3", "*", "*", "*"], "monitor")
    assert command.startswith("/opt/monitor/bin/monitor ")
    run(command.replace("/opt/monitor/bin/", "").replace("/var/lib/monitor", here), lived)

    (lived / "monitor.db").write_bytes(b"broken")
    (lived / "monitor.db-wal").write_bytes(b"old")
    owner = f"-o {os.getuid()} -g {os.getgid()}"
    restore = block("systemctl stop monitor").replace("-o monitor -g monitor", owner)
    run(restore.replace("/var/lib/monitor", here), lived)
    assert asked.read_text() == "stop monitor\nstart monitor\n"
    assert "#1 " in run("monitor incidents", lived).stdout


@pytest.mark.slow
def test_every_question_about_the_history_is_answered(lived: Path) -> None:
    table = PAGES["docs/operating.md"].split("## Asking the history", 1)[1].split("\n## ", 1)[0]
    questions = re.findall(r"\| `(monitor [^`]*)` \|", table)
    assert len(questions) >= 7
    for question in questions:
        done = run(
            question.replace("incidents 12", "incidents 1").replace("--from cn", "--from local"),
            lived,
        )
        assert done.stderr == ""
        assert done.stdout, question
    assert (lived / "week.csv").read_text().count("relay/cdn/chat") >= 1
