"""`monitor diagnose` as a person and a script meet it: a tree or a document, and the exit status."""

import asyncio
import json
import os
import socket
from functools import partial
from pathlib import Path

import command_cast
import pytest
from nameserver import answering, serving_names
from street import Street, censoring, polite, resetting

LIAR, TRUE = str(socket.getaddrinfo("localhost", None)[0][4][0]), "127.2.0.1"
"""`localhost` leads to the first, `::1` on most machines; the second is where another resolver says that it is."""


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path)


async def diagnose(*arguments: str, cwd: Path, **env: str) -> tuple[int, str, str]:
    complete = {"PATH": os.environ["PATH"], **env}
    run = partial(command_cast.monitor, "diagnose", *arguments, cwd=cwd, env=complete)
    done = await asyncio.to_thread(run)
    return done.returncode, done.stdout, done.stderr


def config(street: Street, **monitor: object) -> None:
    settings = "\n".join(f"{name} = {json.dumps(value)}" for name, value in monitor.items())
    street.folder.joinpath("monitor.toml").write_text(
        f'[monitor]\nlisten = ""\n{settings}\n[service.s.endpoints]\n'
        f'e = {{ url = "https://localhost:{street.port}", ca_file = "{street.ca_file}" }}\n'
    )


async def test_a_url_that_answers_is_fine_without_any_config(street: Street) -> None:
    async with street.house(LIAR, polite):
        code, out, err = await diagnose(f"http://localhost:{street.port}", cwd=street.folder)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"http://localhost:{street.port}"
    assert "--     own network: there is nothing to compare with" in lines[1]
    assert "ok     GET /: HTTP 200" in lines[-3]
    assert lines[-1].endswith("The way is fine: the server answers over HTTP.")
    assert "\x1b" not in out, "no colour where there is no terminal"


async def test_a_name_that_leads_astray_is_explained_with_whose_fault_and_what_to_do(
    street: Street,
) -> None:
    async with (
        street.house(LIAR, polite, street.context("liar.test")),
        street.house(TRUE, polite, street.context("localhost")),
        serving_names(answering({"localhost": (TRUE,)})) as names,
    ):
        config(street, resolvers=[names.resolver.name])
        url = f"https://localhost:{street.port}/v1"
        code, out, err = await diagnose(url, cwd=street.folder)
        assert (code, err) == (1, "")
        assert "own network: there is nothing to compare with" in out
        assert (
            f"resolver {names.resolver.name}: {TRUE} (a loopback address), another network" in out
        )
        assert "it is for liar.test, by" in out
        assert f"ok     TLS to {TRUE}, saying its name (localhost): a valid certificate" in out
        assert "DNS pollution suspected (dns_poisoned)" in out
        assert "Whose fault: the network path from here, not the service." in out
        assert "What to do: Use another base URL, or an encrypted resolver." in out

        code, out, _ = await diagnose(url, "--json", cwd=street.folder)
        document = json.loads(out)
        assert code == 1
        assert (document["fine"], document["measured"]) == (False, "cert_hostname")
        assert (document["failure"]["kind"], document["failure"]["fault"]) == (
            "dns_poisoned",
            "path",
        )
        goods = [step["good"] for step in document["steps"]]
        assert goods == [None, True, None, True, None, False, False]
        assert set(document) == {
            "url",
            "vantage",
            "at",
            "fine",
            "failure",
            "measured",
            "remedy",
            "http_status",
            "remote_ip",
            "timings_ms",
            "steps",
        }


async def test_a_block_by_name_is_told_from_a_server_that_resets_everybody(street: Street) -> None:
    good = street.context("localhost")
    for handler, kind in (
        (censoring("localhost", good), "sni_blocked"),
        (resetting, "tls_reset"),
    ):
        async with street.house(LIAR, handler):
            config(street)
            url = f"https://localhost:{street.port}"
            code, out, _ = await diagnose(url, "--json", cwd=street.folder)
            document = json.loads(out)
            assert (code, document["failure"]["kind"]) == (1, kind)
            trials = [step["name"] for step in document["steps"] if step["name"].startswith("TLS")]
            assert trials == [
                f"TLS to {LIAR}, saying another name (example.com)",
                f"TLS to {LIAR}, saying its name (localhost)",
            ]


async def test_without_another_resolver_it_says_how_to_name_one(tmp_path: Path) -> None:
    code, out, _ = await diagnose("http://localhost:9", cwd=tmp_path)
    assert code == 1
    assert "Connection refused (tcp_refused)" in out
    assert "name another resolver: --resolver" in out


@pytest.mark.slow
async def test_no_url_no_resolver_and_a_bad_config_are_told_apart(tmp_path: Path) -> None:
    for wrong in (
        ["ftp://x"],
        ["https://user:secret@x.test"],
        ["http://x.test", "--resolver", "dns.google"],
    ):
        code, _, err = await diagnose(*wrong, cwd=tmp_path)
        assert code == 2
        assert "want" in err
        assert "secret" not in err
    (tmp_path / "monitor.toml").write_text("[service.a]\n")
    code, _, err = await diagnose("http://127.0.0.1:9", cwd=tmp_path)
    assert code == 78
    assert "service.a.endpoints: is missing" in err
