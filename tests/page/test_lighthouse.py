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


def summary(*opinions: Opinion) -> str:
    return "; ".join(
        f"{opinion.performance:.0f} of 100 with {opinion.figures}, benchmark {opinion.benchmark:.0f},"
        f" {opinion.waited:.0%} of the time without a processor"
        for opinion in opinions
    )


@pytest.mark.parametrize("language", LANGUAGES)
async def test_lighthouse_finds_nothing_to_mend_and_a_quick_page(
    address: str, language: str
) -> None:
    """Speed is the best of three, or of what a minute allows; a machine that is busy with other things
    cannot fail it.
    """
    opinions: list[Opinion] = []
    now = asyncio.get_running_loop().time
    end = now() + 60
    try:
        while len(opinions) < 3 and not any(
            one_opinion.performance >= 90 for one_opinion in opinions
        ):
            if opinions and now() > end and not opinions[-1].calm:
                break
            opinions.append(await opinion(f"{address}/mock/{language}"))
    except TooBusyError as why:
        pytest.skip(f"{why}; {summary(*opinions)}")
    print(summary(*opinions))
    for one_opinion in opinions:
        assert one_opinion.wrong == ()
        assert {
            name: score for name, score in one_opinion.scores.items() if name != "performance"
        } == {
            "accessibility": 100,
            "best-practices": 100,
            "seo": 100,
        }
        assert one_opinion.figures["shift"] < 0.05
        assert one_opinion.figures["bytes"] <= 40 * KIBI
    if not any(one_opinion.calm or one_opinion.performance >= 90 for one_opinion in opinions):
        pytest.skip(f"too busy a machine to tell how quick the page is: {summary(*opinions)}")
    assert max(one_opinion.performance for one_opinion in opinions) >= 90, summary(*opinions)


@pytest.mark.proof
@pytest.mark.parametrize("language", LANGUAGES)
async def test_lighthouse_gives_it_the_best_marks_on_a_quiet_machine(
    address: str, language: str
) -> None:
    opinions = [await opinion(f"{address}/mock/{language}") for _ in range(3)]
    print(summary(*opinions))
    best = min(
        opinions, key=lambda one_opinion: (-one_opinion.performance, one_opinion.figures["tbt_ms"])
    )
    assert best.performance >= 95
    assert best.figures["fcp_ms"] <= 1500
    assert best.figures["lcp_ms"] <= 2000
    assert min(one_opinion.figures["tbt_ms"] for one_opinion in opinions) <= 150
