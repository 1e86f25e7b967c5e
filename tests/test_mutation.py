"""The check of the checks can fail."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
JUDGE = "import sys, mutation; sys.exit(mutation.judge(90.0))"


@pytest.mark.proof
@pytest.mark.parametrize(
    ("codes", "said", "ends"),
    [
        ([1] * 9 + [0], "90.0 % killed", 0),
        ([1] * 8 + [36, 0], "90.0 % killed", 0),  # one never came to an end
        ([1] * 89 + [0] * 11, "89.0 % killed", 1),
        ([1] * 89 + [33] * 11, "89.0 % killed", 1),  # no test reaches these
        ([1] * 89 + [None] * 11, "89.0 % killed", 1),  # these were never run
        ([], "0.0 % killed", 1),
    ],
)
def test_too_few_mutants_killed_or_none_at_all_is_a_failure(
    codes: list[int | None], said: str, ends: int, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.mutmut]\nsource_paths = ["core"]\n')
    source, meta = tmp_path / "core" / "a.py", tmp_path / "mutants" / "core" / "a.py.meta"
    for path in (source, meta):
        path.parent.mkdir(parents=True)
    source.touch()
    found = {f"core.a.x_f__mutmut_{number}": code for number, code in enumerate(codes)}
    parts = {"exit_code_by_key": found, "durations_by_key": {}, "estimated_durations_by_key": {}}
    meta.write_text(json.dumps(parts))

    done = subprocess.run(
        [sys.executable, "-c", JUDGE],
        cwd=tmp_path,
        env={"PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (ends, f"{said}, want 90 % or more")


def test_every_file_that_is_mutated_or_asked_exists() -> None:
    settings = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["tool"]["mutmut"]
    named = [*settings["only_mutate"], *settings["pytest_add_cli_args_test_selection"]]
    assert [name for name in named if not (HERE.parent / name).is_file()] == []
