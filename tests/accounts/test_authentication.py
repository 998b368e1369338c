from hashlib import sha256
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from django.test import override_settings
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView, exception_handler

from accounts import authentication
from accounts.authentication import LOCAL, ApiKeyAuthentication
from llmsite.sections import Security

ALICE = "alice-has-a-long-key"
BOB = "bob-has-another-key-é"


def configured(**security):
    return override_settings(CONFIG=SimpleNamespace(security=Security(**security)))


@pytest.fixture
def keys_required():
    with configured(enable_auth=True, api_keys=[ALICE, BOB]):
        yield


def caller(**headers):
    request = Request(APIRequestFactory().get("/", headers=headers))
    return ApiKeyAuthentication().authenticate(request)[0]


class WhoAmI(APIView):
    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response(request.user.owner)

    def get_exception_handler(self):
        return exception_handler


def who_am_i(**headers):
    return WhoAmI.as_view()(APIRequestFactory().get("/", headers=headers))


def test_without_authentication_everybody_is_one_local_user():
    with configured(enable_auth=False):
        assert caller().owner == caller(authorization="Bearer whatever").owner == "local"
        assert caller().is_authenticated


def test_keys_do_not_matter_without_authentication():
    with configured(enable_auth=False, api_keys=[ALICE]):
        assert caller(authorization=f"Bearer {ALICE}").owner == "local"


@pytest.mark.usefixtures("keys_required")
class TestWithAuthentication:
    @pytest.mark.parametrize(
        "headers",
        [
            {"authorization": f"Bearer {ALICE}"},
            {"authorization": f"bearer  {ALICE} "},
            {"x-api-key": ALICE},
            {"authorization": "Basic YTpi", "x-api-key": ALICE},
        ],
    )
    def test_a_key_is_known_by_the_start_of_its_digest(self, headers):
        alice = caller(**headers)
        assert alice.owner == alice.pk == f"key:{sha256(ALICE.encode()).hexdigest()[:8]}"
        assert alice.is_authenticated

    def test_every_key_of_the_list_is_accepted(self):
        as_sent = BOB.encode().decode("latin-1")  # as a server hands it to Django
        assert caller(**{"x-api-key": as_sent}).owner != caller(**{"x-api-key": ALICE}).owner

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"authorization": ""},
            {"authorization": "Bearer"},
            {"authorization": "Bearer "},
            {"authorization": ALICE},
            {"authorization": f"Basic {ALICE}"},
            {"authorization": f"Bearer {ALICE[:-1]}"},
            {"authorization": f"Bearer {ALICE}x"},
            {"authorization": f"Bearer {ALICE.upper()}"},
            {"authorization": f"Bearer {ALICE} {BOB}"},
            {"authorization": "Bearer 試"},
            {"x-api-key": "whatever"},
            {"x-api-key": ""},
            {"authorization": "Bearer whatever", "x-api-key": ALICE},
        ],
    )
    def test_anything_else_is_refused(self, headers):
        with pytest.raises(AuthenticationFailed) as caught:
            caller(**headers)
        assert caught.value.get_codes() == "invalid_api_key"

    def test_the_refusal_does_not_repeat_the_key(self):
        with pytest.raises(AuthenticationFailed) as caught:
            caller(authorization="Bearer nearly-the-right-key")
        assert "nearly" not in str(caught.value)

    def test_a_match_ends_no_comparison_early(self):
        with patch.object(
            authentication.hmac, "compare_digest", wraps=authentication.hmac.compare_digest
        ) as compare:
            caller(**{"x-api-key": ALICE})
        assert compare.call_count == 2

    def test_a_view_lets_the_key_in(self):
        response = who_am_i(authorization=f"Bearer {ALICE}")
        assert (response.status_code, response.data[:4]) == (200, "key:")

    @pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer whatever"}])
    def test_a_view_answers_401_and_says_how(self, headers):
        response = who_am_i(**headers)
        assert (response.status_code, response.data["detail"].code) == (401, "invalid_api_key")
        assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://testserver:81"])
def test_without_keys_a_page_of_another_site_is_refused(origin):
    with pytest.raises(PermissionDenied, match="may not use this service"):
        caller(origin=origin)


def test_without_keys_our_own_pages_and_programs_are_let_in():
    assert caller(origin="http://testserver") is caller() is LOCAL
