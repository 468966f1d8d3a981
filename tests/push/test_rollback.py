"""Back to the snapshot, against simulated routers: an ordinary push of what the router kept."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.push.net import Net, network
from wifimgr.errors import RouterError
from wifimgr.model import Change, Outcome, Result
from wifimgr.push import fleet, script
from wifimgr.push.apply import Pusher
from wifimgr.push.plan import Plan, plan_of
from wifimgr.push.rollback import NO_SNAPSHOT, Rollback, _snapshot
from wifimgr.ssh import Connection, Deadline

FILES = """\
name: Files
about: Files come, change and go.
where: platform=openwrt
uci:
  system:
    - {section: {type: system}, set: {hostname: "{{ router_name }}"}}
files:
  - {path: /etc/neu, content: "neu\\n", mode: "0640"}
  - {path: /etc/banner, absent: true}
"""
SECRET = """\
name: Secret
about: A password for the guests.
where: platform=openwrt
uci:
  wireless:
    - {section: {type: wifi-iface, name: default_radio0}, set: {key: "{{ password }}"}}
"""


def one(tmp_path: Path, **keys: Any) -> Any:
    """A network of one router, called ``ap``, with a playbook of files."""
    return network(tmp_path, {"ap": keys})


def pushed(net: Net, of: str = "files", text: str = FILES) -> Change:
    """A confirmed change."""
    (net.folder / f"playbooks/{of}.yaml").write_text(text, encoding="utf-8")
    change = net.change("ap", of=of)
    assert net.push([change], of=of)["ap"] == Outcome("ap", Result.DONE)
    return change


def plan(net: Net) -> Plan:
    return plan_of(Rollback(), net.inventory, net.known_hosts, net.inventory.routers.values())


def roll_back(net: Net, changes: tuple[Change, ...]) -> Outcome:
    """Carries a plan out."""
    pusher = Pusher(net.inventory, net.known_hosts, net.store, Rollback(), "was wrong", threading.Event())
    [outcome] = fleet.push_all(pusher, changes, lambda _: None)
    return outcome


def test_rollback_brings_the_files_back_with_their_modes(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        before = net.router("ap").flash()
        (net.router("ap").root / "etc/banner").chmod(0o604)
        pushed(net)
        after = net.router("ap").flash()
        made = plan(net)
        assert {path.path for path in made.to_do[0].paths} == {"etc/config/system", "etc/neu", "etc/banner"}
        assert roll_back(net, made.to_do) == Outcome("ap", Result.DONE)
        assert net.router("ap").flash() == before
        assert (net.router("ap").root / "etc/banner").stat().st_mode & 0o777 == 0o604
        [entry, _] = net.store.entries()
        assert (entry.what, entry.why, entry.result) == (
            "rollback: /etc/banner, /etc/config/system, /etc/neu",
            "was wrong",
            "done",
        )
        assert "etc/neu" in after


def test_rollback_is_a_push_that_goes_back_when_it_locks_us_out(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        pushed(net)
        now, made = net.router("ap").flash(), plan(net)
        net.router("ap").misbehave("lockout")
        outcome = roll_back(net, made.to_do)
        assert (outcome.result, outcome.error_id) == (Result.ROLLED_BACK, "rolled-back")
        assert net.router("ap").flash() == now


def test_rollback_of_a_plain_option_can_be_rolled_back(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        before = net.router("ap").flash()
        pushed(net, "name", (net.folder / "playbooks/name.yaml").read_text())
        after = net.router("ap").flash()
        assert roll_back(net, plan(net).to_do).result is Result.DONE
        assert net.router("ap").flash() == before
        assert roll_back(net, plan(net).to_do).result is Result.DONE
        assert net.router("ap").flash() == after


def test_what_is_there_already_is_already_right(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        before = net.router("ap").read("etc/config/system")
        pushed(net, "name", (net.folder / "playbooks/name.yaml").read_text())
        file = net.router("ap").root / "etc/config/system"
        file.unlink()
        file.write_bytes(before)
        file.chmod(0o644)
        assert plan(net).already_right == ("ap",)


def test_file_that_was_changed_since_the_plan_is_not_overwritten(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        pushed(net)
        made = plan(net)
        (net.router("ap").root / "etc/neu").write_text("von Hand\n")
        outcome = roll_back(net, made.to_do)
        assert (outcome.result, outcome.why) == (Result.REFUSED, "changed since the plan: /etc/neu")


def test_router_that_was_never_changed_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        [outcome] = plan(net).outcomes
        assert (outcome.result, outcome.error_id) == (Result.REFUSED, "no-snapshot")
        assert outcome.why == "wifimgr has confirmed no change on it"


def test_changed_secret_leaves_nothing_to_go_back_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with one(tmp_path, vars={"password": {"env": "GUEST_PASSWORD"}}) as net:
        monkeypatch.setenv("GUEST_PASSWORD", "erstes-passwort")
        pushed(net, "secret", SECRET)
        monkeypatch.setenv("GUEST_PASSWORD", "zweites-passwort")
        pushed(net, "secret", SECRET)
        [outcome] = plan(net).outcomes
        assert outcome.why == "its last change replaced a secret, so no copy of the old files was kept"


def test_secret_that_comes_with_a_change_is_not_shown_when_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SECRET.replace("key:", "note:")  # nothing in the option's name tells that it is one
    with one(tmp_path, vars={"password": {"env": "GUEST_PASSWORD"}}) as net:
        monkeypatch.setenv("GUEST_PASSWORD", "sehr-geheimes-wort")
        pushed(net, "secret", text)
        [change] = plan(net).to_do
        assert "-\toption note '***'" in change.paths[0].diff
        assert "sehr-geheimes" not in str(change)
        assert change.secret


def test_rollback_of_the_wifi_takes_the_time_that_the_wifi_needs(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        pushed(net, "secret", SECRET.replace("{{ password }}", "ein Wort"))
        file = net.router("ap").root / "etc/config/wireless"
        text = file.read_text().replace("channel '36'", "channel '100'")
        file.write_text(text.replace("disabled '1'", "disabled '0'"))
        [change] = plan(net).to_do
        assert (change.connectivity, change.radar) == (True, 60)


def test_watched_router_is_refused_without_a_login(tmp_path: Path) -> None:
    with network(tmp_path, {"ap": {"operator": "community"}}) as net:
        net.router("ap").link.powered = False
        [outcome] = plan(net).outcomes
        assert (outcome.result, outcome.error_id) == (Result.REFUSED, "watch-only")


def test_open_change_is_told(tmp_path: Path) -> None:
    with one(tmp_path) as net:
        pushed(net)
        (net.router("ap").root / "etc/wifimgr/pending.t0").write_text("0 999999999 1 1 0\n")
        [outcome] = plan(net).outcomes
        assert outcome.why == "a change is still open on it; it is confirmed or goes back by itself"


def test_every_word_of_the_router_has_a_sentence() -> None:
    said = script.ROUTER_SH.partition("\nno_snapshot() {")[2].partition("\n}\n")[0]
    words = {line.split("echo ")[1].split()[0] for line in said.splitlines() if "echo " in line}
    assert words == NO_SNAPSHOT.keys()


class Fake(Connection):
    """A router that answers as it likes."""

    def __init__(self, answer: str) -> None:
        self._answer = answer

    def run(self, script: str, deadline: Deadline) -> bytes:
        nonce = script.partition("\nNONCE=")[2].partition("\n")[0]
        return self._answer.replace("MARK", f"wifimgr:{nonce}").encode()


@pytest.mark.parametrize(
    ("answer", "id"),
    [
        ("MARK nothing\n", "bad-answer"),
        ("MARK nothing such\n", "no-snapshot"),
        ("MARK absent etc/../x\nMARK end\n", "bad-answer"),
        ("MARK absent passwd\nMARK end\n", "bad-answer"),
        ("MARK absent etc/x;reboot\nMARK end\n", "bad-answer"),
    ],
)
def test_strange_answers_are_errors(answer: str, id: str) -> None:
    with pytest.raises(RouterError) as caught:
        _snapshot("ap", Fake(answer), Deadline(1))
    assert caught.value.id == id
