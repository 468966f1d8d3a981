"""Whether playbooks can be made ready: for whom they are judged, and that no secret is fetched for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.networks import SITE, write
from wifimgr.errors import ConfigError
from wifimgr.inventory import load, survey
from wifimgr.push import ready
from wifimgr.push.playbook import load as load_playbook
from wifimgr.push.playbook import load_all
from wifimgr.settings import Secret

HEAD = (
    "name: x\nabout: y\nwhere: {where}\nuci:\n  system:\n    - section: {{type: system}}\n      set: {{a: {value}}}\n"
)


def lines(folder: Path, value: str, where: str = "platform=openwrt") -> list[str]:
    (folder / "playbooks").mkdir(exist_ok=True)
    text = HEAD.format(where=where, value=value)
    (folder / "playbooks/x.yaml").write_text(text, encoding="utf-8")
    seen = survey(folder)
    playbooks, wrong = load_all(folder)
    assert wrong == []
    return [problem.line() for problem in ready.problems(seen.inventory, playbooks, seen.sure())]


def missing(name: str, routers: str, hint: str) -> str:
    told = "set it under vars: for the network, the site or the router"
    return f"playbooks/x.yaml:7: {routers}: no variable '{name}'; {told}; {hint} [missing-variable]"


KNOWN = "known here: country, router_name, site_name, ssid"


def test_every_missing_variable_is_told_once_for_all_routers(tmp_path: Path) -> None:
    assert lines(write(tmp_path), '"{{ one }} {{ two }} {{ ssid }} {{ one }}"') == [
        missing("one", "eins-gw, eins-ap", KNOWN),
        missing("two", "eins-gw, eins-ap", KNOWN),
    ]


def test_it_is_told_who_has_no_such_variable(tmp_path: Path) -> None:
    site = SITE.replace("role: gateway", "role: gateway\n    vars: {one: 1}")
    assert lines(write(tmp_path, eins=site), '"{{ one }}"') == [missing("one", "eins-ap", KNOWN)]


@pytest.mark.parametrize(
    "line", ["operator: community", "lifecycle: planned", "lifecycle: retired", "platform: gluon", "vars: {one: 1}"]
)
def test_routers_that_no_push_would_touch_need_nothing(tmp_path: Path, line: str) -> None:
    assert lines(write(tmp_path, eins=f"{line}\n{SITE}"), '"{{ one }}"') == []


def test_a_router_in_maintenance_may_be_pushed_to(tmp_path: Path) -> None:
    found = lines(write(tmp_path, eins=f"lifecycle: maintenance\n{SITE}"), '"{{ one }}"', "role=gateway")
    assert found == [missing("one", "eins-gw", KNOWN)]


def test_no_secret_is_fetched(tmp_path: Path) -> None:
    site = SITE + "vars: {psk: {env: NOT_SET_ANYWHERE}, api_token: {command: 'rm -rf x'}}\n"
    assert lines(write(tmp_path, eins=site), '"{{ psk }}{{ api_token }}"') == []
    assert lines(tmp_path, '["{{ psk }}"]') == [
        "playbooks/x.yaml:7: eins-gw, eins-ap: a list holds something that is no plain text; "
        "use a list or a secret as the whole value [bad-wish]"
    ]


def test_the_type_of_a_variable_counts_for_each_router(tmp_path: Path) -> None:
    site = SITE.replace("role: gateway", "role: gateway\n    vars: {ssid: [a, b]}")
    assert lines(write(tmp_path, eins=site), '"x {{ ssid }}"') == [
        "playbooks/x.yaml:7: eins-gw: {{ ssid }} is a list; use it as the whole value [bad-wish]"
    ]


def test_a_variable_that_was_left_out_as_wrong_is_not_called_missing(tmp_path: Path) -> None:
    site = SITE.replace("role: gateway", "role: gateway\n    vars: {psk: hunter2}") + "    vars: {Psk: x}\n"
    assert lines(write(tmp_path, eins=site), '"{{ psk }}"') == []


@pytest.mark.parametrize("behind", ["gone", "eins-ap", "eins-gw"])
def test_ways_that_lead_nowhere_stop_no_selector(tmp_path: Path, behind: str) -> None:
    site = SITE.replace("role: gateway", f"role: gateway\n    behind: {behind}")
    found = lines(write(tmp_path, eins=site), '"{{ one }}"', "behind=eins-gw")
    routers = {"gone": "eins-ap", "eins-ap": "eins-gw, eins-ap", "eins-gw": "eins-gw, eins-ap"}[behind]
    assert found == [missing("one", routers, KNOWN)]


def test_a_secret_of_a_playbook_may_start_what_this_machine_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIFIMGR_SECRET_COMMANDS", "pass, echo")
    write(tmp_path)
    lines(tmp_path, '"{{ psk }}"', "platform=openwrt\nvars: {psk: {command: echo hunter2}}")
    inventory = load(tmp_path)
    router = inventory.routers["eins-ap"]
    allowed = load_playbook(tmp_path, "x", inventory.network.secret_commands)
    [edit] = allowed.wishes(router).edits
    assert edit.set == {"a": Secret("hunter2")}  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="this machine does not let files start echo"):
        load_playbook(tmp_path, "x").wishes(router)
