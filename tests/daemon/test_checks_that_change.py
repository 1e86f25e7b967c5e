"""One base URL through all that an operator may do to it, in a daemon that never stops: named anew, retired,
taken out, put back. History hangs on the id, and nothing of it is lost or counted twice.
"""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cast import until
from daemon_cast import MONITOR, House, Site, living

CHECK = "s/old/http"


def asked(house: House) -> int:
    return house.site.asked.count("/old")


def table(house: House, more: str) -> str:
    return f'{house.url("stays")}, old = {{ url = "{house.site.url}/old", {more} }}'


def told(house: House, command: str) -> Any:
    """By a command beside the daemon."""
    done = subprocess.run(
        [MONITOR, *command.split(), "--config", house.path],
        env={"TOKEN": "123456789:" + "x" * 35},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


async def history(house: House) -> int:
    document = await asyncio.to_thread(told, house, f"history {CHECK} --since 1h --by hour --json")
    outcomes: dict[str, int] = document["summary"]["outcomes"]
    return sum(outcomes.values())


def page(house: House) -> Any:
    (service,) = json.loads((house.folder / "page" / "status.json").read_text())["services"]
    return service


def ids(listed: list[Any]) -> list[str]:
    return [each["id"] for each in listed]


@pytest.mark.slow
async def test_a_name_a_retirement_and_a_return_cost_no_history(house: House, site: Site) -> None:
    house.write(table(house, 'name = "First name"'))
    async with living(house):
        await until(lambda: asked(house) > 2)

        house.write(table(house, 'name = "Second name"'))
        await house.reload()
        await until(lambda: page(house)["endpoints"][1]["name"] == "Second name")
        assert ids(page(house)["endpoints"]) == ["stays", "old"]
        before = asked(house)
        await until(lambda: asked(house) > before)
        named = await history(house)
        assert named >= before

        house.write(table(house, "retired = true"))
        await house.reload()
        retired = asked(house)
        await until(lambda: ids(page(house)["retired"]) == ["old"])
        assert ids(page(house)["endpoints"]) == ["stays"]
        assert (house.folder / "page" / "endpoints" / "s" / "old" / "index.html").is_file()
        assert await history(house) == retired

        house.write(house.url("stays"))
        await house.reload()
        await until(lambda: page(house)["retired"] == [])
        assert await history(house) == asked(house) == retired

        house.write(table(house, 'name = "Third name"'))
        await house.reload()
        await until(lambda: asked(house) > retired + 2)
        await until(lambda: ids(page(house)["endpoints"]) == ["stays", "old"])
    assert await history(house) == asked(house)
    assert exported(house.path) == asked(house)


def exported(path: Path) -> int:
    done = subprocess.run(
        [MONITOR, "export", "--check", CHECK, "--config", path],
        env={"TOKEN": "123456789:" + "x" * 35},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return len(done.stdout.splitlines()) - 1
