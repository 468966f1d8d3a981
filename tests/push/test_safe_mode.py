"""The push under safe mode, against a router that plays RouterOS: what it comes to, and what the router holds then."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paramiko
import pytest
import yaml

from tests.networks import NETWORK, write
from tests.routeros import FILTER, PASSWORD, Complaint, RouterOs, Session, listed, running
from wifimgr.cli import plans, run
from wifimgr.errors import ConfigError
from wifimgr.inventory import Inventory, load
from wifimgr.model import Change, Outcome, Result
from wifimgr.platforms import routeros
from wifimgr.push import fleet, planfile, playbook, safe_mode
from wifimgr.push.apply import Pusher
from wifimgr.push.leave import Leaver
from wifimgr.push.plan import Plan, PlaybookJob, make_plan
from wifimgr.push.rollback import plan_back
from wifimgr.settings import Endpoint, Secret, make_state_dir
from wifimgr.ssh import Deadline, KnownHosts, Target, console, target_of
from wifimgr.store import Store

WISHES: list[dict[str, Any]] = [
    {"menu": "/ip dns", "set": {"servers": ["192.0.2.1", "192.0.2.2"], "allow-remote-requests": False}},
    {"menu": "/interface wireless", "match": {"name": "wlan1"}, "set": {"ssid": "{{ ssid }}", "disabled": False}},
    {"menu": "/ip firewall filter", "match": {"comment": "wifimgr neu"}, "set": {"chain": "input", "action": "drop"}},
]
TIMES = {"confirm_within": "20s", "settle": {"connectivity": "300ms", "other": "100ms"}, "login_gap": "200ms"}


@dataclass
class Net:
    """A network of one router, called ``gw``, that plays RouterOS."""

    folder: Path
    router: RouterOs
    store: Store
    inventory: Inventory
    stop: threading.Event

    @property
    def known_hosts(self) -> KnownHosts:
        return KnownHosts(self.folder / "inventory/known_hosts")

    @property
    def target(self) -> Target:
        return target_of(self.inventory, self.known_hosts, self.inventory.routers["gw"])

    @property
    def job(self) -> PlaybookJob:
        return PlaybookJob(playbook.load(self.folder, "ros"))

    def wish(self, wishes: list[dict[str, Any]], **keys: Any) -> None:
        """Writes the playbook."""
        text = {"name": "Ros", "about": "Ein Versuch.", "where": "platform=routeros", "routeros": wishes, **keys}
        (self.folder / "playbooks/ros.yaml").write_text(yaml.safe_dump(text, sort_keys=False), encoding="utf-8")

    def plan(self) -> Plan:
        return make_plan(self.inventory, self.known_hosts, self.job.playbook, self.inventory.routers.values())

    def push(self, changes: tuple[Change, ...] | None = None) -> Outcome:
        pusher = Pusher(self.inventory, self.known_hosts, self.store, self.job, "ein Versuch", self.stop)
        [outcome] = fleet.push_all(pusher, self.plan().to_do if changes is None else changes, lambda outcome: None)
        return outcome

    def hurry(self) -> None:
        """What cannot be confirmed is given up sooner."""
        network = self.inventory.network
        times = replace(network.push, confirm_within=5.0)
        self.inventory = replace(self.inventory, network=replace(network, push=times))

    def wait_until_free(self) -> None:
        """Waits until the router has seen that the session of safe mode is gone."""
        while self.router.holder is not None:
            time.sleep(0.01)


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Net]:
    monkeypatch.setenv("ROUTER_PASSWORD", PASSWORD)
    monkeypatch.setattr(safe_mode, "END_SECONDS", 1.0)
    with running() as router, set_up(tmp_path, router) as made:
        yield made


@contextmanager
def set_up(folder: Path, router: RouterOs) -> Iterator[Net]:
    network = yaml.safe_load(NETWORK)
    network["profiles"]["ssh"]["ros"] = {"user": "wifimgr", "password": {"env": "ROUTER_PASSWORD"}, "timeout": "3s"}
    entry = {"addresses": ["192.0.2.1"], "platform": "routeros", "ssh": "ros", "vars": {"ssid": "Zur Börse; $x [a]"}}
    site = {"name": "Haus", "kind": "library", "routers": {"gw": entry}}
    local = {"endpoints": {"gw": {"ssh": f"127.0.0.1:{router.port}"}}, "push": TIMES}
    state = make_state_dir(folder)
    write(folder, yaml.safe_dump(network), haus=yaml.safe_dump(site))
    (state / "local.yaml").write_text(yaml.safe_dump(local), encoding="utf-8")
    key = router.host_key
    (folder / "inventory/known_hosts").write_text(f"gw {key.type} {key.base64}\n", encoding="ascii")
    (folder / "playbooks").mkdir()
    store = Store(state)
    made = Net(folder, router, store, load(folder), threading.Event())
    made.wish(WISHES)
    try:
        yield made
    finally:
        store.close()


def untouched(router: RouterOs) -> bool:
    """Whether nothing of the playbook is there."""
    return (
        router.holds("ip/dns", "servers") == ["192.0.2.53"]
        and router.holds("interface/wireless", "ssid", name="wlan1") == "MikroTik"
        and len(router.items("ip/firewall/filter")) == 2
    )


def test_change_is_made_kept_and_there_is_nothing_left_to_do(net: Net) -> None:
    outcome = net.push()
    [entry] = net.store.entries()
    assert outcome == Outcome("gw", Result.DONE)
    assert net.router.holds("ip/dns", "servers") == ["192.0.2.1", "192.0.2.2"]
    assert net.router.holds("ip/dns", "allow-remote-requests") is False
    assert net.router.holds("interface/wireless", "ssid", name="wlan1") == "Zur Börse; $x [a]"
    assert net.router.items("ip/firewall/filter")[2] == {
        **FILTER,
        "chain": "input",
        "action": "drop",
        "comment": "wifimgr neu",
    }
    assert net.router.holder is None
    assert net.router.undone == 0
    assert (entry.router, entry.result) == ("gw", "done")
    again = net.plan()
    assert (again.to_do, again.already_right) == ((), ("gw",))


def test_plan_types_nothing_that_changes_anything(net: Net) -> None:
    net.plan()
    assert untouched(net.router)
    assert net.router.actions == 0
    assert not any(" set " in line or " add " in line or "remove" in line for line in net.router.lines)


def test_every_command_is_typed_in_safe_mode_and_looked_at_over_two_new_logins(net: Net) -> None:
    safe: list[bool] = []

    def note(router: RouterOs, session: Session, line: str) -> None:
        if " set " in line or " add " in line:
            safe.append(router.holder is session)

    net.router.before = note
    [change] = net.plan().to_do
    net.router.users.clear()
    assert net.push((change,)).result is Result.DONE
    assert safe == [True, True, True]
    assert net.router.users == ["wifimgr+ct511w4098h"] * 3


def test_settings_for_items_that_are_gone_and_a_new_name_of_the_router(net: Net) -> None:
    net.wish(
        [
            {"menu": "/system identity", "set": {"name": "Jugendhaus [Nord]"}},
            {"menu": "/ip/firewall/filter", "match": {"comment": "wifimgr guests"}, "absent": True},
        ]
    )
    assert net.push() == Outcome("gw", Result.DONE)
    assert net.router.holds("system/identity", "name") == "Jugendhaus [Nord]"
    assert [item["comment"] for item in net.router.items("ip/firewall/filter")] == ["defconf"]


def test_error_in_the_third_command_undoes_the_first_two(net: Net) -> None:
    def refuse(router: RouterOs, session: Session, line: str) -> None:
        if "add" in line:
            raise Complaint("failure: Zur Börse; $x [a] is not allowed here".encode().decode("latin-1"))

    net.router.before = refuse
    outcome = net.push()
    assert outcome.result is Result.FAILED
    assert outcome.error_id == "bad-answer"
    assert outcome.why.startswith("RouterOS says: failure: ")
    assert outcome.hint == "the old values are back; correct the playbook"
    assert untouched(net.router)
    assert net.router.undone == 1


def test_what_is_wished_is_not_repeated_from_what_a_router_says(net: Net) -> None:
    def refuse(router: RouterOs, session: Session, line: str) -> None:
        if " set *1 " in line:
            raise Complaint("invalid value geheim-und-lang for argument wpa2-pre-shared-key")

    net.router.before = refuse
    site = net.folder / "inventory/sites/haus.yaml"
    text = yaml.safe_load(site.read_text(encoding="utf-8"))
    text["routers"]["gw"]["vars"]["guest_password"] = {"file": "geheim"}
    site.write_text(yaml.safe_dump(text), encoding="utf-8")
    (net.folder / "geheim").write_text("geheim-und-lang\n", encoding="utf-8")
    net.inventory = load(net.folder)
    wireless = {"menu": "/interface wireless", "match": {"name": "wlan1"}}
    net.wish([{**wireless, "set": {"wpa2-pre-shared-key": "{{ guest_password }}"}}])
    plan = net.plan()
    outcome = net.push(plan.to_do)
    assert outcome.why == "RouterOS says: invalid value *** for argument wpa2-pre-shared-key"
    assert "+[name=wlan1] wpa2-pre-shared-key=*** (new)" in plan.to_do[0].paths[0].diff
    shown = repr(plan) + repr(outcome) + repr(net.store.entries()) + repr(plans.rows(plan, net.inventory))
    assert "geheim-und-lang" not in shown


def test_router_that_was_changed_since_the_plan_is_left_alone(net: Net) -> None:
    changes = net.plan().to_do
    net.router.menus["ip/dns"].items[""]["servers"] = ["192.0.2.99"]
    outcome = net.push(changes)
    assert (outcome.result, outcome.error_id) == (Result.REFUSED, "moved-since-plan")
    assert outcome.why == "changed since the plan: ip/dns.servers"
    assert net.router.actions == 0
    assert net.router.holds("ip/dns", "servers") == ["192.0.2.99"]


NAT = {"menu": "/ip/firewall/nat", "match": {"comment": "old printer"}, "absent": True}


@pytest.mark.parametrize("from_file", [False, True])
def test_item_that_was_changed_since_the_plan_is_not_removed(net: Net, from_file: bool) -> None:
    """Also in what the playbook does not speak about: somebody may have made another item of it."""
    net.wish([NAT])
    made, path = net.plan(), net.folder / "plan.json"
    planfile.write(path, made, net.folder, [])
    [item] = net.router.items("ip/firewall/nat")
    item["action"] = "masquerade"
    if from_file:
        job = net.job.playbook
        [outcome] = planfile.read(path, net.folder).plan(net.inventory, net.known_hosts, job, []).outcomes
    else:
        outcome = net.push(made.to_do)
    assert (outcome.result, outcome.error_id) == (Result.REFUSED, "moved-since-plan")
    assert outcome.why == "changed since the plan: ip/firewall/nat[comment=old printer]"
    assert net.router.items("ip/firewall/nat") == [item]


def test_item_whose_counters_alone_moved_since_the_plan_is_removed(net: Net) -> None:
    net.wish([NAT])
    made, counted = net.plan(), net.router.counted
    assert net.push(made.to_do) == Outcome("gw", Result.DONE)
    assert net.router.items("ip/firewall/nat") == []
    assert net.router.counted > counted


def test_what_an_item_holds_that_goes_is_compared_and_not_shown(net: Net) -> None:
    wireless = net.router.menus["interface/wireless"].items["*2"]
    wireless["wpa2-pre-shared-key"] = "geheim-und-lang"
    net.wish([{"menu": "/interface wireless", "match": {"name": "wlan2"}, "absent": True}])
    made = net.plan()
    planfile.write(net.folder / "plan.json", made, net.folder, [])
    shown = repr(made) + repr(plans.rows(made, net.inventory)) + (net.folder / "plan.json").read_text(encoding="ascii")
    assert "geheim-und-lang" in str(made.to_do[0].touched[0].before)
    assert "geheim" not in shown


def test_router_that_became_right_since_the_plan_is_left_alone(net: Net) -> None:
    net.wish([{"menu": "/system identity", "set": {"name": "neu"}}])
    changes = net.plan().to_do
    net.router.menus["system/identity"].items[""]["name"] = "neu"
    assert net.push(changes) == Outcome("gw", Result.ALREADY_RIGHT)


def test_nobody_is_pushed_out_of_safe_mode(net: Net) -> None:
    changes = net.plan().to_do
    with console(net.target, Deadline(20)) as other:
        assert other.take_safe_mode(Deadline(5))
        outcome = net.push(changes)
        other.run(':put ""', Deadline(5))
        assert other.safe
        assert (outcome.result, outcome.error_id) == (Result.REFUSED, "router-refused")
        assert outcome.why == "somebody else holds its safe mode; nothing was changed"
        assert net.router.actions == 0


def test_who_takes_safe_mode_over_keeps_the_push_from_being_confirmed(net: Net) -> None:
    """They chose to keep what was done: that is said, and not called a rollback."""

    def hijack(router: RouterOs, session: Session, line: str) -> None:
        if router.holder is not None and router.holder is not session and "get servers" in line:
            router.take(session)

    net.router.before = hijack
    outcome = net.push()
    assert outcome.result is Result.FAILED
    assert "somebody took its safe mode over" in outcome.why


def test_history_that_is_too_full_is_noticed(net: Net) -> None:
    def busy(router: RouterOs, session: Session, line: str) -> None:
        if " set *1 " in line:
            router.actions = 100

    net.router.before = busy
    outcome = net.push()
    assert outcome.result is Result.FAILED
    assert "too much was changed at once" in outcome.why
    assert outcome.why.endswith("not all old values are back")
    assert not any(" add " in line for line in net.router.lines)


def test_nothing_is_typed_where_safe_mode_is_not_shown(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user without the right to use it."""
    monkeypatch.setattr(Session, "safe_key", lambda session: session.show(f"\n[Safe Mode taken]\n{session.prompt}"))
    outcome = net.push()
    assert (outcome.result, outcome.error_id) == (Result.FAILED, "bad-answer")
    assert outcome.why == "RouterOS does not say that it is in safe mode"
    assert net.router.actions == 0


@pytest.mark.parametrize("after", ["taken", "refused"])
def test_safe_mode_that_cannot_be_had_afterwards_does_not_hide_that_the_old_values_are_back(
    net: Net, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    monkeypatch.setattr(safe_mode, "LONGEST_RETURN", 2.0)
    net.hurry()
    net.wish(WISHES, checks=[{"ping": "192.0.2.77"}])
    safe_key, stranger = Session.safe_key, Session(net.router, None)  # type: ignore[arg-type]

    def key(session: Session) -> None:
        if net.router.undone and after == "taken":
            net.router.holder = stranger
        if net.router.undone and after == "refused":
            return session.show(f"\nSafe Mode is not possible: too many actions\n{session.prompt}")
        return safe_key(session)

    monkeypatch.setattr(Session, "safe_key", key)
    outcome = net.push()
    assert (outcome.result, outcome.error_id) == (Result.ROLLED_BACK, "rolled-back")
    assert outcome.hint == "the old values are back"
    assert untouched(net.router)


def test_old_values_are_not_believed_while_our_lost_session_may_go_on(net: Net) -> None:
    def refuse(router: RouterOs, session: Session, line: str) -> None:
        if " set " in line:
            raise Complaint("failure: no")

    net.router.before, net.router.undo_late = refuse, 3.0
    outcome = net.push()
    assert outcome == Outcome("gw", Result.FAILED, "RouterOS says: failure: no", outcome.hint, "bad-answer")
    assert outcome.hint == "the old values are back; correct the playbook"
    assert net.router.holder is None


def test_change_that_may_still_be_held_by_somebody_else_is_not_judged(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_mode, "LONGEST_RETURN", 1.0)
    net.hurry()
    net.wish(WISHES, checks=[{"ping": "192.0.2.77"}])
    monkeypatch.setattr(RouterOs, "undo", lambda router, session: None)
    outcome = net.push()
    assert (outcome.result, outcome.error_id) == (Result.UNREACHABLE, "unconfirmed")


def test_secret_is_not_repeated_from_a_router_that_says_it_while_we_look(net: Net) -> None:
    """Whatever the router says, and in whichever session."""
    net.hurry()
    net.wish([{"menu": "/system note", "set": {"note": "sehr-geheim"}}])

    def tell(router: RouterOs, session: Session, line: str) -> None:
        if router.holder is not None and router.holder is not session and "get note" in line:
            raise Complaint(f"failure: {'x' * 190}sehr-geheim")

    net.router.before = tell
    outcome = net.push()
    assert outcome.result is Result.ROLLED_BACK
    assert "failure: xxx" in outcome.why
    assert "sehr" not in outcome.why


def test_session_that_is_lost_in_the_window_is_undone_by_the_router(net: Net) -> None:
    def lose(router: RouterOs, session: Session, line: str) -> None:
        if router.holder is not None and router.holder is not session:
            router.before = lambda *_: None
            router.cut()

    net.router.before = lose
    outcome = net.push()
    assert (outcome.result, outcome.error_id) == (Result.ROLLED_BACK, "rolled-back")
    assert outcome.why == "the session that held its safe mode was lost"
    assert untouched(net.router)


def test_change_that_locks_us_out_is_undone(net: Net) -> None:
    """Only new connections are kept out, as a firewall does that lets known ones through."""
    net.hurry()
    net.router.reachable = lambda router: len(router.items("ip/firewall/filter")) == 2
    outcome = net.push()
    assert (outcome.result, outcome.error_id) == (Result.ROLLED_BACK, "rolled-back")
    assert outcome.why.startswith("no new login after the change succeeded")
    assert outcome.hint == "the old values are back"
    assert untouched(net.router)


def test_router_that_is_slow_to_see_a_lost_link_is_waited_for(net: Net) -> None:
    net.hurry()
    net.router.undo_late = 3.0
    net.wish(WISHES, checks=[{"ping": "192.0.2.77"}])
    outcome = net.push()
    assert outcome.result is Result.ROLLED_BACK
    assert untouched(net.router)


def test_router_that_does_not_come_back_in_time_is_not_called_rolled_back(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_mode, "LONGEST_RETURN", 0.5)
    net.hurry()
    net.router.undo_late = 8.0
    net.router.reachable = lambda router: len(router.items("ip/firewall/filter")) == 2
    lost: list[str] = []
    pusher = Pusher(net.inventory, net.known_hosts, net.store, net.job, "", net.stop, lost=lost.append)
    outcome = pusher.push(net.plan().to_do[0])
    assert (outcome.result, outcome.error_id) == (Result.UNREACHABLE, "unconfirmed")
    assert outcome.why.endswith("RouterOS undoes the change when it sees our session end, after up to 9 minutes")
    assert outcome.hint == "run 'wifimgr plan ros -s gw' then"
    assert "gw" in lost
    net.wait_until_free()
    assert untouched(net.router)


def test_command_that_hangs_is_given_up_and_undone(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_mode, "READ_SECONDS", 2.0)
    monkeypatch.setattr(safe_mode, "TYPE_SECONDS", 0.5)
    go_on = threading.Event()

    def hang(router: RouterOs, session: Session, line: str) -> None:
        if " add " in line:
            go_on.wait(20)
            raise Complaint("interrupted")

    changes = net.plan().to_do
    net.router.before = hang
    monkeypatch.setattr(safe_mode.SafeMode, "_look_back", _after(go_on, safe_mode.SafeMode._look_back))
    outcome = net.push(changes)
    assert outcome.result is Result.FAILED
    assert outcome.why == "cannot be reached (no answer in time)"
    assert untouched(net.router)


def _after(event: threading.Event, do: Any) -> Any:
    """The same, and the event is set before."""

    def done(*args: Any) -> Any:
        event.set()
        return do(*args)

    return done


@pytest.mark.parametrize("when", ["settling", "before"])
def test_ctrl_c_leaves_nothing_behind(net: Net, when: str) -> None:
    def stop(router: RouterOs, session: Session, line: str) -> None:
        if " add " in line:
            net.stop.set()

    changes = net.plan().to_do
    if when == "before":
        net.stop.set()
    net.router.before = stop
    outcome = net.push(changes)
    expected = (Result.SKIPPED, "") if when == "before" else (Result.ROLLED_BACK, "rolled-back")
    assert (outcome.result, outcome.error_id) == expected
    assert outcome.why.startswith("interrupted")
    assert untouched(net.router)


def test_checks_have_to_hold_before_a_change_is_kept(net: Net) -> None:
    checks = [{"default-route": True}, {"interface": "ether1"}, {"ping": "192.0.2.7"}]
    net.wish(WISHES, checks=checks)
    patient = net.inventory
    net.hurry()
    failed = net.push()
    assert (failed.result, failed.why) == (Result.ROLLED_BACK, "'192.0.2.7' does not answer a ping")
    assert untouched(net.router)
    net.router.pings = frozenset({"192.0.2.7"})
    net.inventory = patient
    assert net.push() == Outcome("gw", Result.DONE)


def test_option_that_ends_up_otherwise_than_wished_is_not_kept(net: Net) -> None:
    net.wish([{"menu": "/system note", "set": {"note": "frei"}}])

    def spoil(router: RouterOs, session: Session, line: str) -> None:
        if router.holder is not None and router.holder is not session:
            router.menus["system/note"].items[""]["note"] = "FREI"

    net.router.before = spoil
    outcome = net.push()
    assert outcome.result is Result.ROLLED_BACK
    assert outcome.why == "RouterOS does not hold what is wished: system/note.note"
    assert net.router.holds("system/note", "note") == ""


def test_router_that_drops_the_confirmation_is_asked_what_became_of_it(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(session: Session) -> None:
        session.router.cut()

    monkeypatch.setattr(Session, "safe_key", _once_held(Session.safe_key, lose))
    outcome = net.push()
    assert outcome.result is Result.ROLLED_BACK
    assert untouched(net.router)


def _once_held(take: Any, lose: Any) -> Any:
    """Takes safe mode as ever; where the session that holds it asks to give it back for the first time, it is lost."""
    lost: list[bool] = []

    def key(session: Session) -> None:
        if session.router.holder is session and not lost:
            lost.append(True)
            lose(session)
        else:
            take(session)

    return key


def test_more_than_safe_mode_remembers_is_refused_in_the_plan(net: Net) -> None:
    rules = [{**FILTER, "chain": "input", "comment": f"alt {number}"} for number in range(51)]
    net.router.menus["ip/firewall/filter"] = listed(FILTER, *rules)
    menu = "/ip firewall filter"
    net.wish([{"menu": menu, "match": {"comment": rule["comment"]}, "absent": True} for rule in rules])
    [outcome] = net.plan().outcomes
    assert (outcome.result, outcome.error_id) == (Result.FAILED, "bad-wish")
    assert "51 items would change at once; safe mode takes back 50 for sure" in outcome.why


def test_nothing_is_sent_to_a_router_with_another_host_key(net: Net) -> None:
    changes = net.plan().to_do
    net.router.users.clear()
    net.router.key = paramiko.ECDSAKey.generate()
    outcome = net.push(changes)
    assert (outcome.result, outcome.error_id) == (Result.REFUSED, "host-key-changed")
    assert net.router.users == []


def test_router_that_is_no_routeros_is_refused(net: Net) -> None:
    net.router.menus["system/resource"].items[""]["platform"] = "Anderes"
    [outcome] = net.plan().outcomes
    assert (outcome.result, outcome.error_id) == (Result.REFUSED, "wrong-platform")


def test_check_that_routeros_is_not_asked_for_is_refused(net: Net) -> None:
    net.wish(WISHES, checks=[{"ssid": "frei"}])
    [outcome] = net.plan().outcomes
    assert (outcome.result, outcome.error_id) == (Result.REFUSED, "wrong-platform")


@pytest.mark.parametrize(
    ("platform", "playbook_keys"),
    [
        ("routeros", {"uci": {"system": [{"section": {"type": "system"}, "set": {"hostname": "x"}}]}}),
        ("routeros", {"files": [{"path": "/etc/banner", "content": "x\n"}]}),
    ],
)
def test_what_only_a_shell_can_carry_is_refused(net: Net, platform: str, playbook_keys: dict[str, Any]) -> None:
    net.wish([], **playbook_keys)
    [outcome] = net.plan().outcomes
    assert (outcome.result, outcome.error_id) == (Result.REFUSED, "wrong-platform")
    assert "routeros cannot carry what is wished at playbooks/ros.yaml:" in outcome.why


def test_there_is_no_snapshot_to_go_back_to_and_nothing_to_forget(net: Net) -> None:
    [outcome] = plan_back(net.inventory, net.known_hosts, net.inventory.routers.values()).outcomes
    assert (outcome.result, outcome.error_id) == (Result.REFUSED, "no-snapshot")
    assert "apply it, or take it back on the router" in outcome.hint
    leaver = Leaver(net.inventory, net.known_hosts, net.store, "", lambda name, text: None)
    [left] = leaver.leave_all(net.inventory.routers.values())
    assert left == Outcome("gw", Result.ALREADY_RIGHT, "wifimgr leaves nothing on RouterOS to forget")
    assert net.router.users == [], "nobody logs in for that"


def test_rollback_and_forget_say_at_once_that_there_is_nothing_for_them(
    net: Net, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked whether something shall be done that is not done."""
    asked: list[str] = []
    monkeypatch.setattr("wifimgr.cli.common.need_somebody", lambda yes, hint: None)
    monkeypatch.setattr("typer.confirm", lambda question, err: bool(asked.append(question)))
    monkeypatch.chdir(net.folder)
    assert run(["rollback", "gw"]) == 4
    assert "gw: refused: RouterOS is changed under its safe mode" in capsys.readouterr().err
    assert run(["forget", "gw"]) == 0
    told = capsys.readouterr().err
    assert "gw: already right: wifimgr leaves nothing on RouterOS to forget" in told
    assert "would be removed" not in told
    assert (asked, net.router.users) == ([], [])


def test_plan_says_whether_the_network_or_only_the_login_is_touched(net: Net) -> None:
    ssh = {"menu": "/ip service", "match": {"name": "ssh"}, "set": {"port": 2222}}
    net.wish([ssh])
    assert "only the login changes" in plans.warnings(net.plan(), net.inventory)[0]
    net.wish([ssh, *WISHES])
    assert "the network may be gone for a moment" in plans.warnings(net.plan(), net.inventory)[0]


def test_plan_says_what_nobody_should_expect_of_routeros(net: Net) -> None:
    assert routeros.CAUTION in plans.warnings(net.plan(), net.inventory)


def test_session_that_is_just_dropped_is_undone_too(net: Net) -> None:
    """netmiko's own way to end a session types ``/quit``, which keeps what safe mode should undo."""
    with console(net.target, Deadline(20)) as session:
        assert session.take_safe_mode(Deadline(5))
        session.run("/system identity set name=anders", Deadline(5))
        assert net.router.holds("system/identity", "name") == "anders"
    net.wait_until_free()
    assert net.router.holds("system/identity", "name") == "MikroTik"
    assert not any("quit" in line for line in net.router.lines)


def test_wrong_password_is_said_before_any_session(net: Net) -> None:
    target = replace(net.target, password=Secret("falsch"))
    with pytest.raises(Exception, match="login-refused"), console(target, Deadline(5)):
        pass
    assert net.router.lines == []


def test_console_that_shows_no_prompt_is_told_in_one_line(
    net: Net, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Session, "talk", lambda session: session.show("OpenWrt\n~ # ") or time.sleep(3))
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(Exception, match=r"no (answer in time|prompt of RouterOS)"),
        console(net.target, Deadline(1)),
    ):
        pass
    assert PASSWORD not in caplog.text


def test_lines_are_never_more_than_one(net: Net) -> None:
    with console(net.target, Deadline(20)) as session:
        for line in (":put 1\n:put 2", ":put 1\t", ":put ü"):
            with pytest.raises(AssertionError):
                session.run(line, Deadline(5))


def test_endpoint_of_the_service_ssh_is_followed() -> None:
    before = b"[name=ssh]\n[name=ssh] port=22\n"
    changed = [routeros.PathChange(path="ip/service", before=before, after=before.replace(b"22", b"2222"))]
    assert routeros.endpoint_after(changed, Endpoint("192.0.2.1", 22)) == Endpoint("192.0.2.1", 2222)
    assert routeros.endpoint_after(changed, Endpoint("192.0.2.1", 9022)) == Endpoint("192.0.2.1", 9022)


def test_playbook_that_wishes_one_option_twice_is_read_strictly(net: Net) -> None:
    net.wish([{"menu": "/file", "set": {"a": "b"}}])
    with pytest.raises(ConfigError, match="safe mode does not take back"):
        net.plan()
