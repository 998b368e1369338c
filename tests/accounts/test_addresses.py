from ipaddress import ip_address
from types import SimpleNamespace

import pytest
from django.test import RequestFactory, override_settings
from hypothesis import given
from hypothesis import strategies as st

from accounts.addresses import client_address, is_trusted_proxy
from llmsite.sections import Server

PROXIES = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]
CLIENT = "203.0.113.7"


@pytest.fixture(autouse=True)
def proxies():
    with trusting(*PROXIES):
        yield


def trusting(*proxies):
    return override_settings(CONFIG=SimpleNamespace(server=Server(trusted_proxies=proxies)))


def address(peer, forwarded=None):
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return client_address(RequestFactory(REMOTE_ADDR=peer).get("/", headers=headers))


@pytest.mark.parametrize("peer", [CLIENT, "2001:db9::1"])
def test_without_a_proxy_it_is_the_peer(peer):
    assert address(peer) == peer


@pytest.mark.parametrize("peer", [CLIENT, "192.0.2.2", "127.0.0.1", "2001:db9::1"])
def test_what_a_stranger_forwards_is_not_believed(peer):
    assert address(peer, "198.51.100.1") == peer


def test_by_default_nobody_is_believed():
    with trusting():
        assert address("127.0.0.1", CLIENT) == "127.0.0.1"


@pytest.mark.parametrize("peer", ["10.1.2.3", "192.0.2.1", "2001:db8::5", "::ffff:10.1.2.3"])
def test_what_a_trusted_proxy_forwards_is_believed(peer):
    assert address(peer, CLIENT) == CLIENT


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (f"{CLIENT}, 10.0.0.2, 10.0.0.3", CLIENT),
        (f"198.51.100.1,{CLIENT},10.0.0.2", CLIENT),
        (f"10.0.0.9, {CLIENT}, 10.0.0.2", CLIENT),
        (f"unknown, {CLIENT}", CLIENT),
        (f"{CLIENT},2001:db8::7", CLIENT),
        ("10.0.0.4, 10.0.0.5", "10.0.0.4"),
    ],
)
def test_the_first_stranger_from_the_right_is_the_client(forwarded, client):
    assert address("10.0.0.1", forwarded) == client


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("", "10.0.0.1"),
        ("unknown", "10.0.0.1"),
        (f"{CLIENT}, unknown", "10.0.0.1"),
        (f"{CLIENT},", "10.0.0.1"),
        (f"{CLIENT}, 1.2.3.4.5, 10.0.0.2", "10.0.0.2"),
        (f"{CLIENT}, 10.0.0.0/8, 10.0.0.2", "10.0.0.2"),
        (f"{CLIENT};10.0.0.2", "10.0.0.1"),
    ],
)
def test_what_cannot_be_read_ends_the_belief(forwarded, client):
    assert address("10.0.0.1", forwarded) == client


@pytest.mark.parametrize(
    ("written", "client"),
    [
        ("1.2.3.4:567", "1.2.3.4"),
        ("  1.2.3.4\t", "1.2.3.4"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[::1]:5", "::1"),
        ("2001:DB9:0:0::1", "2001:db9::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("[::ffff:1.2.3.4]:5", "1.2.3.4"),
        ("fe80::1%anything <at> all", "fe80::1"),
    ],
)
def test_addresses_are_read_as_proxies_write_them_and_come_in_one_form(written, client):
    assert address("10.0.0.1", written) == client


@pytest.mark.parametrize("peer", ["", "unix:", "testclient"])
def test_a_peer_without_an_address_has_none_and_is_not_believed(peer):
    assert address(peer, CLIENT) == ""


def test_a_unix_socket_has_no_address():
    request = RequestFactory().get("/", headers={"x-forwarded-for": CLIENT})
    del request.META["REMOTE_ADDR"]
    assert client_address(request) == ""


def test_a_trusted_proxy_is_known_in_every_form():
    known = ["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1:80", "192.0.2.1", "2001:db8::1"]
    assert all(map(is_trusted_proxy, known))
    assert not any(map(is_trusted_proxy, ["", "11.0.0.1", "192.0.2.2", "2001:db9::1", "x"]))


HOPS = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(network="10.0.0.0/8").map(str),
    st.builds("{}:{}".format, st.ip_addresses(v=4), st.integers(0, 99999)),
    st.builds("[{}]:{}".format, st.ip_addresses(v=6), st.integers(0, 99999)),
    st.text(),
    st.text(alphabet="0123456789abcdef.:[]%/, ", max_size=40),
)


@given(peer=st.one_of(HOPS, st.just("10.0.0.1")), hops=st.lists(HOPS, max_size=5))
def test_whatever_is_sent_it_is_an_address_or_nothing(peer, hops):
    with trusting(*PROXIES):
        found = address(peer, ",".join(hops))
    assert found == "" or str(ip_address(found)) == found
    assert len(found) <= 45


@given(claimed=st.lists(HOPS, max_size=5))
def test_a_client_cannot_change_its_address_by_what_it_claims(claimed):
    with trusting(*PROXIES):
        assert address("10.0.0.1", ",".join([*claimed, CLIENT])) == CLIENT
