"""A PostgreSQL of the test's own, from Debian's package: a cluster in a folder, a socket, nothing else."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine


def _programs() -> Path:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "postgres").exists():
            return folder
    pytest.skip("Debian's postgresql is not installed here")


def _user() -> str | None:
    """It refuses to be root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        pytest.skip("there is no user postgres, and PostgreSQL refuses to be root")


@contextmanager
def postgres() -> Iterator[Engine]:
    """Not below pytest's own folder, which nobody but its user may enter."""
    pytest.importorskip("psycopg")
    programs, user = _programs(), _user()
    with tempfile.TemporaryDirectory(prefix="postgres-") as temporary:
        folder = Path(temporary)
        if user:
            shutil.chown(folder, user)
        _run(
            programs / "initdb",
            folder,
            user,
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--username=monitor",
        )
        _run(programs / "pg_ctl", folder, user, "start", "-w", "-o", f"-F -h '' -k {folder}")
        engine = create_engine(f"postgresql+psycopg://monitor@/postgres?host={folder}")
        try:
            yield engine
        finally:
            engine.dispose()
            _run(programs / "pg_ctl", folder, user, "stop", "-m", "immediate")


def _run(program: Path, folder: Path, user: str | None, *options: str) -> None:
    with (folder / "log").open("ab") as log:
        done = subprocess.run(
            [program, "-D", folder / "data", *options],
            stdout=log,
            stderr=log,
            user=user,
            cwd=folder,
            check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )
    assert done.returncode == 0, (folder / "log").read_text()[-2000:]
