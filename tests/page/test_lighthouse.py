"""What Lighthouse thinks of the page on a phone: nothing to mend, and quick."""

import asyncio

import pytest
from browser import CHROMIUM
from lighthouse import TOOL, Opinion, TooBusyError, opinion

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(not TOOL.exists(), reason="lighthouse is not in node_modules"),
]
LANGUAGES = ("", "zh-CN/")
KIBI = 1024


def told(*found: Opinion) -> str:
    return "; ".join(
        f"{each.performance:.0f} of 100 with {each.figures}, benchmark {each.benchmark:.0f},"
        f" {each.waited:.0%} of the time without a processor"
        for each in found
    )


@pytest.mark.parametrize("language", LANGUAGES)
async def test_lighthouse_finds_nothing_to_mend_and_a_quick_page(
    address: str, language: str
) -> None:
    """Speed is the best of three, or of what a minute allows; a machine that is busy with other things
    cannot fail it.
    """
    found: list[Opinion] = []
    now = asyncio.get_running_loop().time
    end = now() + 60
    try:
        while len(found) < 3 and not any(each.performance >= 90 for each in found):
            if found and now() > end and not found[-1].calm:
                break
            found.append(await opinion(f"{address}/mock/{language}"))
    except TooBusyError as why:
        pytest.skip(f"{why}; {told(*found)}")
    print(told(*found))
    for each in found:
        assert each.wrong == ()
        assert {name: score for name, score in each.scores.items() if name != "performance"} == {
            "accessibility": 100,
            "best-practices": 100,
            "seo": 100,
        }
        assert each.figures["shift"] < 0.05
        assert each.figures["bytes"] <= 40 * KIBI
    if not any(each.calm or each.performance >= 90 for each in found):
        pytest.skip(f"too busy a machine to tell how quick the page is: {told(*found)}")
    assert max(each.performance for each in found) >= 90, told(*found)


@pytest.mark.proof
@pytest.mark.parametrize("language", LANGUAGES)
async def test_lighthouse_gives_it_the_best_marks_on_a_quiet_machine(
    address: str, language: str
) -> None:
    found = [await opinion(f"{address}/mock/{language}") for _ in range(3)]
    print(told(*found))
    best = min(found, key=lambda each: (-each.performance, each.figures["tbt_ms"]))
    assert best.performance >= 95
    assert best.figures["fcp_ms"] <= 1500
    assert best.figures["lcp_ms"] <= 2000
    assert min(each.figures["tbt_ms"] for each in found) <= 150
