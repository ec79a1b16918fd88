"""Settings of the contract tests."""

from __future__ import annotations

import pytest
from hypothesis.configuration import set_hypothesis_home_dir


def pytest_configure(config: pytest.Config) -> None:
    """Failing examples are kept in pytest's own cache: a folder of hypothesis' own in the checkout would be
    warned of at the next collection."""
    set_hypothesis_home_dir(config.rootpath / ".pytest_cache" / "hypothesis")
