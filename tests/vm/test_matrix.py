"""What must hold on the oldest, a middle and the newest kernel; `make -C native vmtest` runs them all."""
import os
from typing import Any, Dict, List

import pytest
from lab import rights, summary

from . import matrix, table
from .guest.trials import ALL
from .image import NoImage

pytestmark = pytest.mark.full

# oldest first, as the results come
SERIES = os.environ.get("RETRANS_TEST_KERNELS", "5.10 6.12 newest").split()


@pytest.fixture(scope="module")
def results() -> Dict[str, Any]:
    """All kernels at once, when the first of them is asked for."""
    if os.geteuid() != 0:
        pytest.fail("The kernel matrix needs root, to show this machine's files to a guest; "
                    "run `make -C native test FULL=1` as root.", pytrace=False)
    problem = rights.library_missing()
    if problem:
        pytest.fail(problem, pytrace=False)
    try:
        done = matrix.run(matrix.choose(SERIES))
    except (matrix.NotFetched, NoImage) as error:
        pytest.fail(str(error), pytrace=False)
    assert len(done) == len(SERIES), "some of {} are the same kernel".format(SERIES)
    for line in table.lines(done):
        summary.say(line)
    return dict(zip(SERIES, done))


@pytest.mark.parametrize("trial", ALL, ids=[trial.name for trial in ALL])
@pytest.mark.parametrize("series", SERIES)
def test_kernel(results: Dict[str, Any], series: str, trial: Any) -> None:
    problems: List[str] = results[series].problems(trial)
    assert not problems, "\n".join(problems)
