"""Variables in the values of a playbook: what becomes of each kind, and that hostile values stay values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifimgr.errors import ConfigError
from wifimgr.push.variables import Variables, names
from wifimgr.settings import Secret, SecretRef

HERE = "playbooks/p.yaml:7"


def fill(value: Any, **values: Any) -> Any:
    return Variables("eins-ap", values).fill(value, HERE)


def error(value: Any, **values: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        fill(value, **values)
    [line] = caught.value.lines()
    return line


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("plain", "plain"),
        (True, "1"),
        (False, "0"),
        (67, "67"),
        (2.5, "2.5"),
        (1e300, "1e+300"),
        (["a", 1, True], ("a", "1", "1")),
        ("{{ ssid }}", "frei"),
        ("{{ssid}}", "frei"),
        ("<{{ ssid }}/{{ ssid }}>", "<frei/frei>"),
        ("{{ count }}", "3"),
        ("{{ on }}", "1"),
        ("{{ dns }}", ("9.9.9.9", "1")),
        (["{{ ssid }}", "b"], ("frei", "b")),
        ("{ ssid }", "{ ssid }"),
        ("{{{ ssid }}}", "{frei}"),
    ],
    ids=repr,
)
def test_value_becomes_text_or_texts(written: Any, filled: Any) -> None:
    assert fill(written, ssid="frei", count=3, on=True, dns=("9.9.9.9", True)) == filled


def test_text_with_a_secret_in_it_is_a_secret_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "psk").write_text("geheim\n")
    found = fill("WIFI:{{ psk }};{{ ssid }}", psk=SecretRef("file", "psk", tmp_path), ssid="frei")
    assert isinstance(found, Secret)
    assert found.reveal() == "WIFI:geheim;frei"
    assert "geheim" not in repr(found) + str(found) + f"{found}"


def test_secret_is_fetched_only_where_it_is_used() -> None:
    assert fill("{{ ssid }}", ssid="frei", psk=SecretRef("file", "/nowhere")) == "frei"


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (
            "{{ ssdi }}",
            f"{HERE}: eins-ap: no variable 'ssdi'; set it under vars: for the network, the site or the router; "
            "did you mean ssid? [missing-variable]",
        ),
        (
            "x{{ zz }}",
            f"{HERE}: eins-ap: no variable 'zz'; set it under vars: for the network, the site or the router; "
            "known here: dns, psk, ssid [missing-variable]",
        ),
        (
            "{{ ssid | upper }}",
            f"{HERE}: 'ssid | upper' is no name of a variable; write {{{{ name }}}} with small letters, digits and _; "
            "there is no logic in a playbook [missing-variable]",
        ),
        (
            "{{ }}",
            f"{HERE}: '' is no name of a variable; write {{{{ name }}}} with small letters, digits and _; "
            "there is no logic in a playbook [missing-variable]",
        ),
        ("a {{ dns }}", f"{HERE}: {{{{ dns }}}} is a list; use it as the whole value [bad-wish]"),
        (
            ["a", "{{ dns }}"],
            f"{HERE}: a list holds something that is no plain text; use a list or a secret as the whole value "
            "[bad-wish]",
        ),
    ],
    ids=repr,
)
def test_message_names_place_reason_and_hint(written: Any, line: str) -> None:
    assert error(written, ssid="frei", dns=("9.9.9.9",), psk=SecretRef("env", "PSK")) == line


def test_secret_in_a_list_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSK", "sehr-geheim")
    line = error(["{{ psk }}"], psk=SecretRef("env", "PSK"))
    assert line.endswith("[bad-wish]")
    assert "sehr-geheim" not in line


def test_missing_secret_names_where_the_reference_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_PSK", raising=False)
    line = error("{{ psk }}", psk=SecretRef("env", "NO_SUCH_PSK", where="inventory/network.yaml:9"))
    assert line.startswith("inventory/network.yaml:9: ")
    assert "NO_SUCH_PSK" in line
    assert line.endswith("[missing-secret]")


HOSTILE = st.text(st.characters(blacklist_categories=["Cs"])) | st.sampled_from(
    ["{{ ssid }}", "{{ x }}", "'; rm -rf /", "$(id)", "`id`", "\n\toption disabled '1'", "}}{{", "\\", "\x1b[2J"]
)


@given(HOSTILE, HOSTILE)
def test_hostile_value_goes_through_unharmed_and_is_not_looked_into(value: str, around: str) -> None:
    around = around.replace("{", "(")
    assert fill("{{ x }}", x=value) == value
    assert fill(around + "{{ x }}" + around, x=value) == around + value + around
    assert fill(["{{ x }}"], x=value) == (value,)


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_names_finds_what_fill_would_ask_for(value: Any) -> None:
    assert list(names([value, {"k": ["a {{ one }}", "{{two}}"]}]))[-2:] == ["one", "two"]
