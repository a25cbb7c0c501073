from __future__ import annotations

import pytest

from services.http.foreign import is_local, is_plain


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8020", "LOCALHOST", "127.0.0.1:80", "[::1]:8020", "10.1.2.3", "viewer:8020", "", "a.localhost"],
)
def test_addresses_and_plain_names_are_answered(host: str) -> None:
    assert is_plain(host)


@pytest.mark.parametrize(
    "host", ["attacker.example", "a.b:80", "127.0.0.1.evil.example", "[evil.example]", "localhost.evil.example"]
)
def test_domains_are_not(host: str) -> None:
    assert not is_plain(host)


LISTENING = {"127.0.0.1": True, "localhost": True, "::1": True, "0.0.0.0": False, "::": False, "a.b": False}


@pytest.mark.parametrize(("host", "local"), LISTENING.items())
def test_a_server_is_local_that_only_this_machine_reaches(host: str, local: bool) -> None:
    assert is_local(host) == local
