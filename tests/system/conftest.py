"""Fixtures of the system tests: a machine of one's own, permissions that hold for root too, a disk of any size."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_machine import Machine, tool


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """An empty home and an empty working folder."""
    return Machine(tmp_path)


@pytest.fixture
def obeying_permissions() -> list[str]:
    """What to put before a command so that file permissions hold for it, although the tests may run as root."""
    if os.geteuid() != 0:
        return []
    capabilities = "-dac_override,-dac_read_search"
    prefix = [tool("setpriv", "util-linux"), f"--bounding-set={capabilities}", f"--inh-caps={capabilities}"]
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("root's privileges cannot be dropped here")
    return prefix


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a disk of a size such as ``2m``, mounted in the test's folder."""
    mount, umount = tool("mount", "mount"), tool("umount", "mount")
    mounted: list[Path] = []

    def make(size: str) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        made = subprocess.run(
            [mount, "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder], check=False, capture_output=True
        )
        if made.returncode != 0:
            pytest.skip(f"a small disk needs root: {made.stderr.decode().strip()}")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run([umount, "--lazy", folder], check=True)
