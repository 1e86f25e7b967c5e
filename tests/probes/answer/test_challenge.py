from random import Random

from hypothesis import given
from hypothesis import strategies as st

from monitor.probes.answer.challenges import COUNT, OwnQuestion, addition, counting


@given(st.integers())
def test_the_question_never_contains_its_answer(seed: int) -> None:
    for challenge in (counting(Random(seed)), addition(Random(seed))):
        assert not challenge.check(challenge.prompt)


@given(st.integers())
def test_the_right_answer_passes_however_it_is_dressed(seed: int) -> None:
    count, plus = counting(Random(seed)), addition(Random(seed))
    numbers = [str(count.first + n) for n in range(COUNT)]
    assert count.check(" ".join(numbers))
    assert count.check("Sure:\n" + ",\n".join(numbers) + ".")
    assert plus.check(f"The sum is **{plus.left + plus.right}**.")


def test_nine_tenths_of_the_count_are_enough_but_only_all_of_it_is_whole() -> None:
    count = counting(Random(1))
    most = " ".join(str(count.first + n) for n in range(COUNT - 4))
    assert (count.check(most), count.is_whole(most)) == (True, False)
    assert not count.check(most.replace(f"{count.first + 9} ", ""))


def test_a_neighbouring_number_is_no_sum() -> None:
    plus = addition(Random(1))
    assert not plus.check(f"{plus.left + plus.right}0")
    assert not plus.check("")


def test_an_own_question_may_have_an_expected_answer_or_none() -> None:
    assert OwnQuestion("Capital of France?", "paris").check("It is Paris.")
    assert not OwnQuestion("Capital of France?", "paris").check("London")
    assert OwnQuestion("Say anything").check("anything")
