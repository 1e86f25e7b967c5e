"""`monitor import` as a command in a folder, and what it wrote there, read again and validated."""

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import command_cast
from hypothesis import strategies as st
from kuma_cast import KEY

from monitor.cli.import_draft import draft_of
from monitor.imports import Imported, plan, toml_text
from monitor.model import MonitorError

BOT = f"123456789:{'A' * 35}"
SLACK = "https://hooks.slack.com"


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    env = {"CREDENTIALS_DIRECTORY": str(folder / "credentials"), "PATH": os.environ["PATH"]}
    return command_cast.monitor(*arguments, cwd=folder, env=env)


def written(folder: Path, *arguments: str) -> tuple[dict[str, Any], list[str]]:
    """What was written and what was said; it validates, and no secret is in either."""
    done = run(folder, "import", *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    text = (folder / "monitor.toml").read_text()
    checked = run(folder, "validate")
    assert checked.returncode == 0, checked.stderr
    assert not any(secret in text + done.stdout for secret in (KEY, BOT, "s3cret"))
    return tomllib.loads(text), done.stdout.splitlines()


def must_validate(found: Imported) -> None:
    """What is left of it is what the configuration takes, or nothing is; nothing else is raised."""
    try:
        draft = draft_of(plan(found), Path("monitor.toml"), {})
    except MonitorError as error:
        assert "nothing" in str(error)  # noqa: PT017
        return
    text = toml_text(draft.document, found.program, "f", draft.remarks)
    assert tomllib.loads(text) == {name: table for name, table in draft.document.items() if table}


def anything(*likely: Any) -> st.SearchStrategy[Any]:
    """Values of any type, among them these."""
    some = [
        "https://a.example/v1/models",
        "http://[::1",
        "https://u:p@h.example:99999/x",
        "${X}",
        "\ud800",
        *likely,
    ]
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.sampled_from(some),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=6,
    )


def like(likely: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Tables with some of these keys, each of its likely values or anything else."""
    return st.fixed_dictionaries(
        {}, optional={name: values | anything() for name, values in likely.items()}
    )
