"""One made-up study for all tests of charts."""

import pytest
from made_up import made_up_results

from kdfair_core.results import Results


@pytest.fixture(scope="session")
def results() -> Results:
    return made_up_results()
