"""A PostgreSQL of the test's own, from Debian's package: a cluster in a folder, and databases to throw away."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    folder: Path
    programs: Path
    user: str | None
    port: int = field(default_factory=free_port)
    options: str = ""
    _names: Iterator[int] = field(default_factory=count)

    def start(self) -> None:
        socketed = f"-F -h 127.0.0.1 -p {self.port} -k {self.folder} {self.options}"
        self.run("pg_ctl", "start", "-w", "-o", socketed)

    @property
    def runs(self) -> bool:
        return (self.folder / "data" / "postmaster.pid").exists()

    def stop(self, mode: str = "immediate") -> None:
        self.run("pg_ctl", "stop", "-m", mode)

    def url(self, database: str = "postgres", *, user: str = "monitor") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def fresh(self) -> str:
        """Return the URL of a new database."""
        name = f"store{next(self._names)}"
        self.say(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def say(self, *statements: str, database: str = "postgres") -> None:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def run(self, program: str, *options: str) -> None:
        with (self.folder / "log").open("ab") as log:
            done = subprocess.run(
                [self.programs / program, "-D", self.folder / "data", *options],
                stdout=log,
                stderr=log,
                user=self.user,
                cwd=self.folder,
                check=False,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            )
        assert done.returncode == 0, (self.folder / "log").read_text()[-2000:]


@contextmanager
def postgres(*, options: str = "") -> Iterator[Server]:
    """Not below pytest's own folder, which nobody but its user may enter."""
    pytest.importorskip("psycopg")
    programs, user = _programs(), _user()
    with tempfile.TemporaryDirectory(prefix="postgres-") as temporary:
        folder = Path(temporary)
        if user:
            shutil.chown(folder, user)
        server = Server(folder, programs, user, options=options)
        how = ("--auth=trust", "--no-sync", "--encoding=UTF8", "--username=monitor")
        server.run("initdb", *how)
        server.start()
        try:
            yield server
        finally:
            if server.runs:  # a test may fail while it is away
                server.stop()


@contextmanager
def pooler(server: Server) -> Iterator[int]:
    """Run Debian's PgBouncer in transaction mode before a server, and give its port."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("Debian's pgbouncer is not installed here")
    port = free_port()
    folder = server.folder / f"pgbouncer-{port}"
    folder.mkdir()
    (folder / "users").write_text('"monitor" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {folder}/users\npool_mode = transaction\n"
        "default_pool_size = 3\nignore_startup_parameters = extra_float_digits\n"
    )
    if server.user:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, server.user)
    process = subprocess.Popen([program, "-q", str(folder / "pgbouncer.ini")], user=server.user)
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()
