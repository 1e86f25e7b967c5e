"""What befalls a store on a server: it goes away, answers are lost, others want the store, rights are missing."""

import asyncio
import logging
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from cast import HandClock
from postgres import Server, free_port, pooler, postgres
from store_cast import (
    CHAT,
    MESSAGE,
    NOON,
    SEEN,
    asked,
    entry,
    failed,
    opened,
    record,
    stored,
    streamed,
    told,
)
from tcp_proxies import LosingProxy

from monitor.clock import SystemClock
from monitor.model import HistorySettings, OperatorRequest, RequestKind, StoreError
from monitor.store import Store
from monitor.store.database import InUseError, Meaning

pytestmark = pytest.mark.slow
DAY = timedelta(days=1)
LOCK_S = 5.0
"""As long as a transaction of the daemon waits for a lock."""


@pytest.fixture(scope="session")
def engine() -> str:
    return "postgresql"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second and a half stand for the ten after which a claim is taken over."""
    from monitor.store.postgresql import claim, upkeep

    monkeypatch.setattr(claim, "LEASE_S", 1.5)
    monkeypatch.setattr(upkeep.ServerUpkeep, "look_every_s", 0.3)


async def until(store: Store, *, trouble: bool, seconds: float = 30) -> None:
    for _ in range(round(seconds * 20)):
        if (store.trouble is not None) is trouble:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"trouble is {store.trouble!r}")


# --- one writer -----------------------------------------------------------------------------------


def test_of_two_that_start_at_once_on_an_empty_database_one_writes_and_one_is_refused(
    url: str, hurried: None
) -> None:
    stores = [Store(url, clock=SystemClock()) for _ in range(2)]
    errors: list[StoreError] = []

    def start(store: Store) -> None:
        try:
            store.open()
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=start, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (refused,) = errors
    assert isinstance(refused, InUseError)
    assert "is in use by another monitor (process " in str(refused)
    assert str(refused).endswith("stop that one first")
    assert asked(url, "SELECT value FROM key_value WHERE name = 'schema'") == [("1",)]
    for store in stores:
        if store._writer._thread.is_alive():
            asyncio.run(store.close())


async def test_a_second_daemon_is_refused_while_the_first_one_runs_and_is_idle(
    url: str, clock: HandClock, hurried: None
) -> None:
    async with opened(url, clock):
        await asyncio.sleep(3)
        second = Store(url, clock=clock)
        with pytest.raises(InUseError, match="is in use by another monitor"):
            await asyncio.to_thread(second.open)
        holder = Store.holder(url)
        assert holder is not None
        assert (holder.pid, holder.host) == (os.getpid(), "")
    assert Store.holder(url) is None
    async with opened(url, clock):
        pass


DAEMON = """
import sys, time
from monitor.clock import SystemClock
from monitor.store import Store
Store(sys.argv[1], clock=SystemClock()).open()
print("open", flush=True)
time.sleep(60)
"""


async def test_a_daemon_that_was_killed_on_this_machine_is_followed_at_once(
    url: str, clock: HandClock
) -> None:
    killed = subprocess.Popen([sys.executable, "-c", DAEMON, url], stdout=subprocess.PIPE)
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"open\n"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    began = time.monotonic()
    async with opened(url, clock) as store:
        assert time.monotonic() - began < 15
        record(store, 1)
        await store.flush()


def claimed_elsewhere(url: str, *, ago_s: float) -> None:
    told(
        url,
        f"""INSERT INTO key_value SELECT '', 'claim', json_build_object('by', 'x', 'pid', 7, 'host', 'other',
        'place', 'other', 'batch', '', 'at', extract(epoch FROM clock_timestamp()) - {ago_s})::text
        ON CONFLICT (vantage, name) DO UPDATE SET value = excluded.value""",
    )


async def test_a_claim_of_another_machine_that_is_not_renewed_is_taken_over(
    url: str, clock: HandClock, hurried: None
) -> None:
    async with opened(url, clock):
        pass
    claimed_elsewhere(url, ago_s=0)
    holder = Store.holder(url)
    assert holder is not None
    assert (holder.pid, holder.host) == (7, "other")
    async with opened(url, clock) as store:
        record(store, 1)
        await store.flush()


async def test_who_was_taken_over_writes_nothing_more_and_says_so(
    url: str, clock: HandClock, hurried: None
) -> None:
    store = Store(url, clock=clock)
    store.open()
    record(store, 1)
    await store.flush()
    claimed_elsewhere(url, ago_s=0)
    record(store, 5, start=1)
    with pytest.raises(
        StoreError, match=r"another monitor \(process 7 on other\) has taken it over"
    ):
        await store.flush()
    with pytest.raises(StoreError, match="this one writes nothing more"):
        await store.prune(clock.now(), HistorySettings())
    await store.close()
    assert asked(url, "SELECT count(*) FROM runs") == [(1,)]
    assert asked(url, "SELECT value::json ->> 'by' FROM key_value WHERE name = 'claim'") == [("x",)]


# --- the server goes away -------------------------------------------------------------------------


async def test_while_the_server_is_away_results_wait_messages_go_and_all_is_written_later(
    clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres() as server:
        url = server.fresh()
        async with opened(url, clock) as store:
            record(store, 3)
            await store.flush()
            await store.snapshot(clock.now())
            server.stop()
            record(store, 4, start=3)
            with pytest.raises(StoreError, match="the store cannot be written: the server is away"):
                await store.flush()
            assert store.trouble is not None
            assert store.trouble.endswith(f"postgresql://monitor@127.0.0.1:{server.port}/store0")
            store.keep(outgoing=(MESSAGE,))
            assert [message.text for message in await store.due(clock.now())] == ["hello"]
            snapshot = await store.snapshot(clock.now())
            assert snapshot.checks[CHAT].last_24h.counted == 7
            with pytest.raises(StoreError, match="the store cannot be read: the server is away"):
                Store.read_only(url)
            server.start()
            await until(store, trouble=False)
            await store.flush()
            assert await stored(store) == 7


def test_a_daemon_that_starts_while_the_server_is_away_says_so_and_ends_as_one_to_be_started_again(
    tmp_path: Path,
) -> None:
    """systemd's unit starts it again after each end but that of a configuration that cannot be used, 78."""
    (tmp_path / "monitor.toml").write_text(
        f'[monitor]\nlisten = ""\nstore = "postgresql://monitor@127.0.0.1:{free_port()}/monitor"\n'
        '[service.a]\nendpoints = { direct = "http://127.0.0.1:9" }\nprobes = { http = "1m" }\n'
    )
    began = time.monotonic()
    monitor = Path(sys.executable).parent / "monitor"
    done = subprocess.run(
        [monitor, "run"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert time.monotonic() - began < 20
    last = done.stderr.strip().splitlines()[-1]
    assert "the store cannot be written: the server is away (" in last
    assert "Traceback" not in done.stderr
    unit = (Path(__file__).parents[2] / "systemd" / "monitor.service").read_text()
    assert "\nRestart=always\n" in unit
    assert "\nRestartPreventExitStatus=78\n" in unit


@pytest.mark.proof
async def test_twenty_deaths_of_the_server_under_load_lose_and_double_nothing() -> None:
    clock = HandClock(NOON)
    with postgres() as server:
        url = server.fresh()
        async with opened(url, clock) as store:
            count = 0
            for _ in range(20):
                for _ in range(10):
                    record(store, 200, start=count)
                    count += 200
                    await asyncio.sleep(0.1)
                server.stop()
                record(store, 100, start=count)
                count += 100
                await asyncio.sleep(0.5)
                server.start()
                await until(store, trouble=False, seconds=60)
            await store.flush()
            ats = {result.at for result in await store.results(CHAT, since=NOON)}
            assert ats == {NOON + timedelta(seconds=step) for step in range(count)}
            assert asked(url, "SELECT count(*) FROM runs") == [(count,)]
            assert store.dropped == 0


async def test_a_batch_whose_commit_nobody_answered_is_stored_once(clock: HandClock) -> None:
    with postgres() as server, LosingProxy(server.port) as proxy:
        url = server.fresh()
        way = url.replace(str(server.port), str(proxy.port))
        async with opened(way, clock) as store:
            store.reserve("a", NOON.date(), entry(streamed()).spent)
            await store.flush()
            unanswered = 0
            for step in range(4):
                proxy.lose(1)
                record(store, 20, start=20 * step)
                try:
                    await store.flush()
                except StoreError:
                    unanswered += 1  # else it was a commit that held no results
                record(store, 5, start=100 + 5 * step)
                await until(store, trouble=False)
                await store.flush()
            assert proxy.lost == 4
            assert unanswered
        wanted = {NOON + timedelta(seconds=step) for step in (*range(80), *range(100, 120))}
        with closing(Store.read_only(url)) as reader:
            assert [result.at for result in reader.each_result()] == sorted(wanted)


# --- rights, ways, limits -------------------------------------------------------------------------


async def test_behind_pgbouncer_in_transaction_mode_all_goes_as_usual(
    server: Server, url: str, clock: HandClock
) -> None:
    with pooler(server) as port:
        pooled = url.replace(str(server.port), str(port))
        async with opened(pooled, clock) as store:
            for step in range(20):
                record(store, 50, start=50 * step)
                await store.flush()
                with closing(Store.read_only(pooled)) as reader:
                    assert sum(1 for _ in reader.each_result()) == 50 * (step + 1)
            assert (await store.snapshot(clock.now())).checks[CHAT].last_24h.counted == 1000
            assert store.trouble is None


async def test_a_role_that_may_not_create_tables_is_told_what_to_do(
    server: Server, url: str, clock: HandClock
) -> None:
    database = url.rsplit("/", 1)[1]
    server.say(f"CREATE ROLE poor_{database} LOGIN")
    poor = server.url(database, user=f"poor_{database}")
    with pytest.raises(
        StoreError, match="our role may not do that; make it the owner of the database"
    ):
        Store(poor, clock=clock).open()
    with pytest.raises(StoreError, match="there is no history yet in postgresql://poor_"):
        Store.read_only(poor)
    server.say(f'ALTER DATABASE "{database}" OWNER TO poor_{database}')
    async with opened(poor, clock) as store:
        record(store, 1)
        await store.flush()


async def test_a_database_that_knows_no_encoding_keeps_texts_as_any_other(
    server: Server, clock: HandClock
) -> None:
    """A server whose cluster was made in the locale C has such ones."""
    server.say("CREATE DATABASE bare ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    async with opened(server.url("bare"), clock) as store:
        store.record(entry(failed(NOON, message="got “你好”")))
        await store.flush()
        (result,) = await store.results(CHAT, since=NOON)
        assert result.failure is not None
        assert result.failure.message == "got “你好”"


def test_what_may_not_be_read_is_a_sentence_and_nobody_waits_for_it(
    server: Server, clock: HandClock
) -> None:
    gone = server.url("nowhere")
    for asking in (Store(gone, clock=clock).open, lambda: Store.read_only(gone)):
        with pytest.raises(StoreError, match="there is no such database; create it"):
            asking()


async def test_a_password_is_in_no_message_and_no_log(
    server: Server, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"postgresql://monitor:hidden%20words@127.0.0.1:{server.port}/nowhere"
    with pytest.raises(StoreError) as refused:
        Store(url, clock=clock).open()
    with pytest.raises(StoreError) as unread:
        Store.read_only(url)
    for text in (str(refused.value), str(unread.value), caplog.text):
        assert "hidden" not in text
        assert "monitor@127.0.0.1" in text


def trusts_alone(monkeypatch: pytest.MonkeyPatch, ca_file: str) -> None:
    """Make this a system whose OpenSSL has one authority, in the place that it was built for."""
    paths = ssl.get_default_verify_paths()
    for name in (paths.openssl_cafile_env, paths.openssl_capath_env):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    system = paths._replace(openssl_cafile=ca_file, openssl_capath="/nowhere")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: system)


async def test_verify_full_wants_a_certificate_of_the_named_host_from_a_known_authority(
    clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with postgres() as server:
        certificate = authority.issue_cert("localhost")
        key, chain = server.folder / "key.pem", server.folder / "chain.pem"
        certificate.private_key_pem.write_to_path(str(key))
        chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        key.chmod(0o600)
        if server.user:
            shutil.chown(key, server.user)
            shutil.chown(chain, server.user)
        server.stop()
        server.options = f"-c ssl=on -c ssl_cert_file={chain} -c ssl_key_file={key}"
        server.start()
        base = server.fresh().replace("127.0.0.1", "localhost")
        good = f"{base}?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem"
        async with opened(good, clock) as store:
            record(store, 1)
            await store.flush()
        system = f"{base}?sslmode=verify-full&sslrootcert=system"
        for wrong in (
            good.replace("localhost", "127.0.0.1"),
            good.replace("ca.pem", "other.pem"),
            system,
        ):
            with pytest.raises(
                StoreError, match="the connection is not encrypted as `sslmode` wants"
            ):
                Store(wrong, clock=clock).open()
        trusts_alone(monkeypatch, f"{tmp_path}/ca.pem")
        async with opened(system, clock) as store:
            record(store, 1, start=1)
            await store.flush()
            assert await stored(store) == 2
        with pytest.raises(StoreError, match="wants"):
            Store(system.replace("localhost", "127.0.0.1"), clock=clock).open()


@contextmanager
def reading(url: str) -> Iterator[None]:
    """Hold all tables for reading, as pg_dump does."""
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("SELECT count(*) FROM runs, evidence")
        yield


def days_of(url: str) -> list[str]:
    names = asked(
        url,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'runs'::regclass ORDER BY 1",
    )
    return [name for (name,) in names]


async def live_days(store: Store, clock: HandClock, days: int) -> None:
    """Live through days with a run each."""
    for _ in range(days):
        store.record(entry(failed(clock.now()), evidence=SEEN))
        clock.tick(86_400)
        store._upkeep.look()  # type: ignore[attr-defined]  # as each two seconds
        for _ in range(2):
            store.heartbeat(clock.now())
            await store.flush()


async def test_days_of_runs_are_partitions_and_retention_drops_them(
    url: str, clock: HandClock
) -> None:
    kept = HistorySettings(raw=2 * DAY, evidence=DAY, hours=None, days=None)
    async with opened(url, clock) as store:
        await live_days(store, clock, 6)
        await store.prune(clock.now(), kept)
        assert await stored(store) == 2
    names = asked(
        url,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent IN ('runs'::regclass, 'evidence'::regclass) ORDER BY 1",
    )
    days = [f"202611{day}" for day in range(28, 31)] + ["20261201", "20261202"]
    assert [name for (name,) in names if name.startswith("runs")] == [
        *(f"runs_{day}" for day in days),
        "runs_rest",
    ]
    assert asked(url, "SELECT count(*) FROM runs_rest") == [(0,)]


AGE = """SELECT extract(epoch FROM clock_timestamp()) - CAST(value::json ->> 'at' AS float8)
    FROM key_value WHERE name = 'claim'"""
"""Seconds since the claim was renewed."""


async def test_a_long_reader_delays_the_days_that_come_and_go_and_nothing_else(
    url: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a copy of the whole database, which holds each table from begin to end."""
    kept = HistorySettings(raw=DAY, evidence=DAY, hours=None, days=None)
    async with opened(url, clock) as store:
        await live_days(store, clock, 4)
        with reading(url):
            began = time.monotonic()
            with pytest.raises(StoreError, match="another session holds a lock for too long"):
                await store.prune(clock.now(), kept)
            assert time.monotonic() - began < LOCK_S + 2
            began = time.monotonic()
            record(store, 3)
            await store.flush()
            assert time.monotonic() - began < 2
            assert store.trouble is None
            clock.tick(86_400)
            began = time.monotonic()
            for _ in range(5):
                store._upkeep.look()  # type: ignore[attr-defined]
            assert time.monotonic() - began < 2, "a day that cannot be attached waits for later"
            assert asked(url, AGE)[0][0] < 1, "the claim is renewed all the same"
            record(store, 2, start=86_400 * 7)
            await store.flush()
            assert asked(url, "SELECT count(*) FROM runs_rest") == [(2,)]
            assert days_of(url) == [*(f"runs_202611{day}" for day in range(24, 31)), "runs_rest"]
        monkeypatch.setattr(store._upkeep, "_days_not_before", 0.0)
        store._upkeep.look()  # type: ignore[attr-defined]
        await store.prune(clock.now(), kept)
        left = ("20261128", "20261129", "20261130", "rest")
        assert days_of(url) == [f"runs_{name}" for name in left]
        assert asked(url, "SELECT count(*) FROM runs_rest") == [(2,)], "they stay there"


async def test_who_reads_while_days_are_made_misses_no_run(
    url: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look sees rows as they were when it began, and partitions as they are."""
    async with opened(url, clock) as store:
        monkeypatch.setattr(store._upkeep, "_days_not_before", float("inf"))
        clock.tick(8 * 86_400)
        record(store, 1, start=8 * 86_400)
        await store.flush()
        assert asked(url, "SELECT count(*) FROM runs_rest") == [(1,)]
        with closing(Store.read_only(url)) as reader, reader.loading(clock.now()) as loader:
            monkeypatch.setattr(store._upkeep, "_days_not_before", 0.0)
            store._upkeep.look()  # type: ignore[attr-defined]
            assert len([*loader.latest()]) == 1
        made = [name for name in days_of(url) if name > "runs_20261127"]
        assert made == ["runs_20261203", "runs_20261204", "runs_rest"]


async def test_a_store_that_is_too_large_drops_its_oldest_days(url: str, clock: HandClock) -> None:
    async with opened(url, clock) as store:
        for _ in range(4):
            for step in range(2000):
                store.record(entry(streamed(clock.now() + step * timedelta(seconds=1))))
            await store.flush()
            clock.tick(86_400)
            store._upkeep.look()  # type: ignore[attr-defined]
            for _ in range(3):
                store.heartbeat(clock.now())
                await store.flush()
        before = asked(url, "SELECT count(*) FROM runs")[0][0]
        kept = HistorySettings(raw=None, max_size=1_500_000)
        await store.prune(clock.now(), kept)
    after = asked(url, "SELECT count(*) FROM runs")[0][0]
    assert before == 8000
    assert 0 < after < 8000
    assert after % 2000 == 0


async def test_a_request_of_another_process_is_taken_up(url: str, clock: HandClock) -> None:
    request = OperatorRequest(at=NOON, what=RequestKind.SILENCE, target=CHAT, until=NOON + DAY)
    with pytest.raises(StoreError, match="there is no history yet in"):
        Store.request(url, request)
    async with opened(url, clock) as store:
        Store.request(url, request)
        (one,) = await store.requests()
        assert (one.what, one.target) == (request.what, CHAT)


# --- what errors mean -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "meaning", "words"),
    [
        ("08006", Meaning.TROUBLE, "the server is away"),
        ("57P01", Meaning.TROUBLE, "the server is away"),
        ("25006", Meaning.TROUBLE, "the server only reads"),
        ("53100", Meaning.FULL, "the server's disk is full"),
        ("53300", Meaning.TROUBLE, "max_connections"),
        ("28P01", Meaning.TROUBLE, "does not let us in"),
        ("42501", Meaning.TROUBLE, "our role may not do that"),
        ("42P01", Meaning.TROUBLE, "a table of ours is gone"),
        ("40001", Meaning.TROUBLE, "another session was in the way"),
        ("55P03", Meaning.TROUBLE, "another session holds a lock"),
        ("25P03", Meaning.TROUBLE, "took too long"),
        ("XX001", Meaning.DAMAGE, "restore a backup"),
        ("23505", Meaning.OURS, ""),
        ("22003", Meaning.OURS, ""),
        ("42601", Meaning.OURS, ""),
    ],
)
def test_an_error_means_what_its_sqlstate_says(state: str, meaning: Meaning, words: str) -> None:
    import psycopg
    from sqlalchemy.exc import DBAPIError

    from monitor.store.postgresql import server_errors

    original = psycopg.errors.lookup(state)("said")
    error = DBAPIError("SELECT", {}, original)
    assert server_errors.meaning(error) is meaning
    assert words in server_errors.remedy(error)
    assert "said" in server_errors.remedy(error)
