"""What all tests share: one environment for everyone, and the rule for tests that need real daemons."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

IN_CI = os.environ.get("CI") == "true"

# The machine may be busy: a slow example is no failure, a hanging test is ended by pytest-timeout.
# CI judges a change, so it always tries the same examples; people's machines look for new ones.
settings.register_profile("wifimgr", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=IN_CI)
settings.load_profile("wifimgr")


HOMES: list[tempfile.TemporaryDirectory[str]] = []
"""Lives as long as the tests do."""


def pytest_configure() -> None:
    """Nothing that a person set for their own network reaches a test (WIFIMGR_TEST_* is meant for tests)."""
    for name in list(os.environ):
        if name == "SSH_AUTH_SOCK" or (name.startswith("WIFIMGR_") and not name.startswith("WIFIMGR_TEST_")):
            del os.environ[name]
    if "PYTEST_XDIST_WORKER" not in os.environ:  # its home is that of who started it
        HOMES.append(tempfile.TemporaryDirectory(prefix="home-"))
        os.environ["HOME"] = str(home_without_ssh(Path(HOMES[-1].name)))


def home_without_ssh(folder: Path) -> Path:
    """A home folder that has everything of this person's, such as caches, but not how they log in."""
    with suppress(OSError, RuntimeError):  # nobody has one here
        for path in Path.home().iterdir():
            if path.name != ".ssh":
                (folder / path.name).symlink_to(path)
    return folder


def is_root() -> bool:
    """Whether the tests run as root."""
    return os.geteuid() == 0


@functools.cache
def has_namespaces() -> bool:
    """Whether a process may have mount and process namespaces of its own."""
    if find_program("unshare") is None:
        return False
    command = ["unshare", "--mount", "--pid", "--fork", "true"]
    return subprocess.run(command, capture_output=True, timeout=10).returncode == 0


def find_program(name: str) -> str | None:
    """Path of a program, also where daemons lie, which is on few people's PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")


ABILITIES: dict[str, Callable[[], bool]] = {"root": is_root, "namespaces": has_namespaces}
"""What a test can need besides programs."""


def missing_parts(*names: str) -> list[str]:
    """Those of ``names`` (programs, or keys of ABILITIES) that this machine does not have."""
    return [name for name in names if not (ABILITIES[name]() if name in ABILITIES else find_program(name))]


def require_real(*names: str) -> None:
    """Go on only where all real parts are there: ``require_real("root", "dropbear")``.

    Where one is missing, the test is skipped with the reason; called at the top of a file, all its tests are.
    With ``CI=true`` they fail instead, so that nobody takes a skipped test for a passed one.
    """
    missing = missing_parts(*names)
    if not missing:
        return
    reason = f"needs {', '.join(missing)} (make test, as root on Debian, installs what it can)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)
