"""Cases of tasks as data: a playbook's wishes and a router's files before, and its files after or the message.

Each file in ``cases/`` holds YAML documents with the keys

    case    what is shown, in a few words
    wish    what stands under the task's key in a playbook
    vars    variables of the router (optional)
    before  path without leading slash to content
    after   files that are different then; null: gone. Everything else is as before
    mode    path to the mode that is asked for (optional)
    error   instead of after: the end of the message
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from wifimgr.errors import WifimgrError
from wifimgr.model import Manage, PathChange, Router
from wifimgr.platforms import openwrt
from wifimgr.push import playbook

CASES = Path(__file__).parent / "cases"
HEAD = "name: Fall\nabout: Ein Fall.\nwhere: platform=openwrt\n"

Files = Mapping[str, str | None]


def cases(task: str) -> list[Any]:
    """All cases of one task, with their words as ids."""
    documents = yaml.safe_load_all((CASES / f"{task}.yaml").read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["case"].replace(" ", "-")) for case in documents]


def router(values: Mapping[str, Any]) -> Router:
    """A router with these variables."""
    return Router(
        name="eins-ap",
        site="eins",
        addresses=("192.0.2.1",),
        platform="openwrt",
        role="access-point",
        operator="city",
        manage=Manage.PUSH,
        vars=MappingProxyType(dict(values)),
    )


def changes(folder: Path, task: str, wish: Any, before: Files, values: Mapping[str, Any]) -> list[PathChange]:
    """What a playbook with these wishes would change on a router with these files."""
    path = folder / "fall.yaml"
    path.write_text(HEAD + yaml.safe_dump({task: wish}, sort_keys=False), encoding="utf-8")
    edits = playbook.load(folder, str(path)).wishes(router(values)).edits
    facts = {each: encoded(before.get(each)) for each in openwrt.paths(edits)}
    return list(openwrt.render("eins-ap", edits, facts)[0])


def encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def check(folder: Path, task: str, case: dict[str, Any]) -> None:
    """Carries a case out, twice where it changes something: the second time there is nothing to do."""
    wish, before, values = case["wish"], case.get("before", {}), case.get("vars", {})
    if "error" in case:
        with pytest.raises(WifimgrError) as caught:
            changes(folder, task, wish, before, values)
        assert caught.value.line().endswith(case["error"])
        return
    found = changes(folder, task, wish, before, values)
    assert {each.path: each.after for each in found} == {path: encoded(text) for path, text in case["after"].items()}
    assert {each.path: each.mode for each in found if each.mode} == case.get("mode", {})
    assert all(each.before == encoded(before.get(each.path)) for each in found)
    assert changes(folder, task, wish, {**before, **case["after"]}, values) == []
