from types import SimpleNamespace

import pytest
from django.test import RequestFactory, override_settings

from accounts.origins import is_own_or_allowed_origin
from llmsite.sections import Security, Server

APP = "https://app.example.org"
PUBLIC = "https://llm.example.org"


@pytest.fixture(autouse=True)
def configured():
    server, security = Server(public_url=PUBLIC), Security(cors_origins=[APP])
    with override_settings(CONFIG=SimpleNamespace(server=server, security=security)):
        yield


def is_let_in(origin, secure=False):
    request = RequestFactory().get("/", headers={"origin": origin}, secure=secure)
    return is_own_or_allowed_origin(request)


def test_programs_that_name_no_page_are_let_in():
    assert is_own_or_allowed_origin(RequestFactory().get("/"))


@pytest.mark.parametrize("origin", [APP, PUBLIC, "http://testserver", "https://testserver"])
def test_our_own_pages_and_those_of_the_configuration_are_let_in(origin):
    assert is_let_in(origin)


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "*", "testserver", "//testserver", "ftp://testserver", "http://[", "é"),
        *("http://testserver:81", "http://testserver.evil.example", "http://evil.example"),
        *("http://app.example.org", f"{APP}:444", f"{APP}.evil.example", f"{APP}, {APP}"),
        *(f"{APP}/", "http://llm.example.org", "http://evil.example/testserver"),
    ],
)
def test_all_others_are_not(origin):
    assert not is_let_in(origin)


def test_where_there_is_tls_a_page_that_came_without_is_not_ours():
    assert is_let_in("https://testserver", secure=True)
    assert not is_let_in("http://testserver", secure=True)
