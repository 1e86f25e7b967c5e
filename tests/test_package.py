"""What people install: the wheel and the sdist, by pip, pipx and uv, in clean environments."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from monitor import __version__

ROOT = Path(__file__).parents[1]
SECONDS = 300


def run(
    *command: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd="/",
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(env or {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def venv(folder: Path, *packages: str) -> Path:
    """Its `bin`; skips, visibly, where there is no package index."""
    assert run(sys.executable, "-m", "venv", folder).returncode == 0
    if packages:
        done = run(folder / "bin" / "pip", "install", "-q", *packages)
        if done.returncode:
            pytest.skip(f"cannot install {', '.join(packages)}: {done.stderr[-200:]}")
    return folder / "bin"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built as a release is."""
    folder = tmp_path_factory.mktemp("built")
    tools = venv(folder / "tools", "hatchling>=1.25")
    source = folder / "source"
    left_out = shutil.ignore_patterns(".*", "build", "dist", "node_modules", "__pycache__")
    shutil.copytree(ROOT, source, ignore=left_out)
    done = subprocess.run(
        [tools / "hatchling", "build", "-d", folder / "dist"],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "dist"


def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def wanted() -> set[str]:
    """Every template, catalogue and unit of the checkout."""
    kept = {".html", ".css", ".js", ".svg", ".po", ".json", ".service", ".conf", ".txt"}
    return {
        path.relative_to(ROOT).as_posix()
        for folder in ("templates", "systemd")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in kept
    }


@pytest.mark.slow
@pytest.mark.xdist_group("package")
def test_wheel_sdist_and_installation(built: Path, tmp_path: Path) -> None:
    """One test, so that it is built once, on whatever worker."""
    templates_catalogues_and_units_are_inside(built)
    pip_installs_it_and_it_works(built, tmp_path)
    for name in ("pipx", "uv"):
        a_tool_installs_it(name, built, tmp_path)


def templates_catalogues_and_units_are_inside(built: Path) -> None:
    inside = set(zipfile.ZipFile(wheel(built)).namelist())
    assert {f"monitor/{name}" for name in wanted()} <= inside
    assert {"monitor/py.typed", "monitor/monitor.toml"} <= inside
    assert not [name for name in inside if name.startswith("tests/") or "__pycache__" in name]
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert wanted() | {"constraints.txt", "LICENSE", "CHANGELOG.md", "Makefile"} <= names
    assert {
        "tests/test_package.py",
        "docs/operating.md",
        "Dockerfile",
        "docker-compose.yml",
    } <= names


def pip_installs_it_and_it_works(built: Path, folder: Path) -> None:
    place = venv(folder / "plain")
    done = run(place / "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel(built))
    assert done.returncode == 0, done.stderr
    it_works(place / "monitor", folder / "plain")
    it_lives_as_in_the_image(place, folder / "image")


def it_works(monitor: Path, folder: Path) -> None:
    assert run(monitor, "--version").stdout == f"monitor {__version__}\n"
    path = folder / "monitor.toml"
    path.write_text(
        '[monitor]\nlisten = ""\n[service.a]\nendpoints = { x = "http://127.0.0.1:9" }\n'
    )
    assert run(monitor, "validate", "-c", path).returncode == 0
    assert run(monitor, "once", "-c", path).returncode == 1
    daemon = subprocess.Popen([monitor, "run", "-c", path], stderr=subprocess.DEVNULL)
    try:
        page = folder / "page" / "index.html"
        for _ in range(600):
            if page.exists():
                break
            time.sleep(0.1)
        assert "</html>" in page.read_text()
    finally:
        daemon.terminate()
        assert daemon.wait(60) == 0


def instruction(name: str) -> list[str]:
    """The words of an instruction of the Dockerfile that is written as JSON, the way that needs no shell."""
    found = re.search(rf"^{name} .*?(\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found
    words: list[str] = json.loads(found[1])
    return words


def it_lives_as_in_the_image(place: Path, folder: Path) -> None:
    """What no engine is needed for: the image's command, variables and health check, with folders of the test."""
    folder.mkdir()
    (folder / "monitor.toml").write_text('[service.a]\nendpoints = { x = "http://127.0.0.1:9" }\n')
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^ENV MONITOR_LISTEN=0\.0\.0\.0:8080 ", text, re.MULTILINE)
    env = {
        "MONITOR_LISTEN": f"0.0.0.0:{port}",
        "STATE_DIRECTORY": str(folder),
        "CREDENTIALS_DIRECTORY": str(folder / "secrets"),
        "PATH": str(place),
        "http_proxy": "http://127.0.0.1:9",
    }

    def is_healthy() -> bool:
        health = instruction("HEALTHCHECK")
        return subprocess.run(health, env=env, capture_output=True, check=False).returncode == 0

    words = [*instruction("ENTRYPOINT"), *instruction("CMD")]
    assert words.pop() == "/etc/monitor/monitor.toml"
    assert not is_healthy()
    daemon = subprocess.Popen(
        [*words, folder / "monitor.toml"], env=env, stderr=subprocess.DEVNULL, cwd="/"
    )
    try:
        for _ in range(600):
            if is_healthy() and (folder / "page" / "index.html").exists():
                break
            time.sleep(0.1)
        assert is_healthy()
        with urllib.request.urlopen(f"http://127.0.0.2:{port}/", timeout=10) as answer:
            assert b"</html>" in answer.read()
        daemon.send_signal(signal.SIGSTOP)
        assert not is_healthy()
        daemon.send_signal(signal.SIGCONT)
    finally:
        daemon.terminate()
        assert daemon.wait(60) == 0


def a_tool_installs_it(name: str, built: Path, folder: Path) -> None:
    place = folder / name
    place.mkdir()
    tools = folder / f"{name}-tools"
    assert run(sys.executable, "-m", "venv", tools).returncode == 0
    done = run(tools / "bin" / "pip", "install", "-q", name)
    if done.returncode:
        print(f"skipped {name}: {done.stderr[-200:]}")
        return
    env = {
        "PIPX_HOME": f"{place}/home",
        "PIPX_BIN_DIR": f"{place}/bin",
        "PIPX_MAN_DIR": f"{place}/man",
        "UV_TOOL_DIR": f"{place}/home",
        "UV_TOOL_BIN_DIR": f"{place}/bin",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON": sys.executable,
        "UV_CACHE_DIR": f"{place}/cache",
    }
    tool, file = tools / "bin" / name, wheel(built)
    verb = ("install",) if name == "pipx" else ("tool", "install")
    done = run(tool, *verb, file, env=env)
    assert done.returncode == 0, done.stderr
    assert run(place / "bin" / "monitor", "--version").stdout == f"monitor {__version__}\n"
    once = (
        (tool, "run", "--spec", file) if name == "pipx" else (tools / "bin" / "uvx", "--from", file)
    )
    assert run(*once, "monitor", "--version", env=env).stdout == f"monitor {__version__}\n"
    said = run(*once, "monitor", "demo", "--help", env=env).stdout
    assert said.startswith("Usage: monitor demo [OPTIONS]\n")


@pytest.mark.slow
def test_the_first_probe_of_a_hundred_checks_runs_soon_after_the_start(tmp_path: Path) -> None:
    """Two seconds on a quiet machine; here others may be at work."""
    urls = "\n".join(f'e{number} = "http://127.0.0.1:9"' for number in range(100))
    path = tmp_path / "monitor.toml"
    path.write_text(f'[monitor]\nlisten = ""\n[service.a.endpoints]\n{urls}\n')
    began = time.monotonic()
    daemon = subprocess.Popen(
        [Path(sys.executable).parent / "monitor", "run", "-c", path],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert daemon.stderr
    try:
        first = next(line for line in daemon.stderr if "event=run " in line)
        took = time.monotonic() - began
    finally:
        daemon.terminate()
        daemon.communicate(timeout=60)
    print(f"start to first probe, 100 checks: {took:.2f} s")
    assert "check=a/e" in first
    assert took < 10


def test_the_version_is_said_once() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in text
    assert not re.search(r"^version *=", text, re.MULTILINE)


def test_the_image_is_not_root_checks_its_health_and_is_without_complaint(tmp_path: Path) -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
    assert "HEALTHCHECK" in text
    lint = Path(sys.executable).parent / "hadolint"
    if not lint.exists():
        pytest.skip("hadolint is not installed (it is in the extra `dev`)")
    done = run(lint, ROOT / "Dockerfile")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    planted = tmp_path / "Dockerfile"
    planted.write_text(text.replace("HEALTHCHECK --interval", "HEALTHCHECK --every"))
    assert run(lint, planted).returncode != 0


PLACES = ROOT / "docs" / "compose" / "docker-compose.yml"
COMPOSE = (ROOT / "docker-compose.yml", PLACES)


def test_compose_runs_the_image_as_the_manual_does() -> None:
    """With a port of this machine alone, the same volumes, a read-only root file system and a minute to drain."""
    (service,) = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    manual = (ROOT / "docs" / "operating.md").read_text()
    (line,) = re.findall(r"^docker run (.*) monitor$", manual, re.MULTILINE)
    volumes = [word.replace("history:", "monitor:") for word in service["volumes"]]
    assert re.findall(r"-v (\S+)", line) == volumes
    assert re.findall(r"-p (\S+)", line) == service["ports"]
    assert re.findall(r"--tmpfs (\S+)", line) == service["tmpfs"]
    assert (service["read_only"], "--read-only" in line) == (True, True)
    assert (service["stop_grace_period"], "--stop-timeout 60" in line) == ("1m", True)
    assert service["restart"] == "unless-stopped"


def test_the_compose_file_of_several_places_runs_each_as_the_simple_one_does() -> None:
    (simple,) = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    services = yaml.safe_load(PLACES.read_text())["services"]
    assert set(services) == {"db", "hub", "cn", "us"}
    for name in ("hub", "cn", "us"):
        for key in (
            "restart",
            "stop_grace_period",
            "read_only",
            "tmpfs",
            "cap_drop",
            "security_opt",
        ):
            assert services[name][key] == simple[key], (name, key)
        assert services[name]["image"] == services["hub"]["image"] != simple["image"]
    assert (PLACES.parent / services["hub"]["build"]["context"]).resolve() == ROOT
    assert services["hub"]["ports"] == simple["ports"]
    assert [name for name, each in services.items() if "ports" in each] == ["hub"]
    assert services["hub"]["build"]["args"] == {"EXTRAS": "postgres"}
    assert "ARG EXTRAS=" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.parent.name)
def test_the_compose_file_is_one_by_its_specification(tmp_path: Path, file: Path) -> None:
    lint = Path(sys.executable).parent / "check-jsonschema"
    if not lint.exists():
        pytest.skip("check-jsonschema is not installed (it is in the extra `dev`)")
    specified = (lint, "--builtin-schema", "vendor.compose-spec")
    done = run(*specified, file)
    assert done.returncode == 0, done.stdout
    planted = tmp_path / "docker-compose.yml"
    planted.write_text(file.read_text().replace("read_only: true", "readonly: true"))
    assert "'readonly' was unexpected" in run(*specified, planted).stdout
