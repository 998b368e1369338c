"""The door of the REST API."""

from datetime import timedelta
from hashlib import sha256
from unittest.mock import patch

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView, exception_handler

from accounts import authentication, callers
from accounts.authentication import ApiKeyAuthentication
from accounts.models import ApiKey, Policy, User
from tests.accounts.site import configured

MACHINE = "a-machine-has-a-long-key"
OTHER = "another-has-another-key-é"

HOW = "No API key was given. Send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'."
INVALID = "The API key is not valid."


@pytest.fixture(autouse=True)
def keys_required(settings, db):
    configured(settings, security={"api_keys": [MACHINE, OTHER]})


@pytest.fixture
def no_keys_required(settings, keys_required):
    configured(settings, security={"enable_auth": False, "api_keys": [MACHINE]})


@pytest.fixture
def laptop(alice) -> tuple[ApiKey, str]:
    """A key of Alice, and its text."""
    return ApiKey.objects.issue(alice, "laptop")


def caller(**headers):
    request = Request(APIRequestFactory().get("/", headers=headers))
    return ApiKeyAuthentication().authenticate(request)[0]


def refusal(**headers):
    with pytest.raises(AuthenticationFailed) as caught:
        caller(**headers)
    assert caught.value.get_codes() == "invalid_api_key"
    return str(caught.value)


class WhoAmI(APIView):
    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response(authentication.caller(request).owner)

    def get_exception_handler(self):
        return exception_handler


def who_am_i(**headers):
    return WhoAmI.as_view()(APIRequestFactory().get("/", headers=headers))


# Which key was sent


def ways_to_send(key):
    return [
        {"authorization": f"Bearer {key}"},
        {"authorization": f"bearer  {key} "},
        {"authorization": f"BEARER {key}"},
        {"x-api-key": key},
        {"x-api-key": f" {key} "},
        {"authorization": "Basic YTpi", "x-api-key": key},
        {"authorization": f"Bearer {key}", "x-api-key": "whatever"},
        {"authorization": f"Bearer {key}", "x-api-key": key},
    ]


@pytest.mark.parametrize("headers", ways_to_send(MACHINE))
def test_a_key_of_the_configuration_is_known_by_the_start_of_its_digest(headers):
    machine = caller(**headers)
    assert machine.owner == machine.pk == f"config:{sha256(MACHINE.encode()).hexdigest()[:8]}"
    assert machine.user is None


@pytest.mark.parametrize("number", range(len(ways_to_send(""))))
def test_a_persons_key_is_known_however_it_is_sent(laptop, alice, number):
    key, text = laptop
    asker = caller(**ways_to_send(text)[number])
    assert (asker.user, asker.key) == (alice, key)
    assert asker.is_authenticated


def test_of_two_keys_the_bearers_counts(laptop, alice, bob):
    _, bobs = ApiKey.objects.issue(bob, "phone")
    assert caller(authorization=f"Bearer {laptop[1]}", **{"x-api-key": bobs}).user == alice


def test_every_key_of_the_configuration_is_accepted():
    as_sent = OTHER.encode().decode("latin-1")  # as a server hands it to Django
    assert caller(**{"x-api-key": as_sent}).owner != caller(**{"x-api-key": MACHINE}).owner


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": MACHINE},
        {"authorization": f"Basic {MACHINE}"},
        {"authorization": f"Bearer{MACHINE}"},
        {"x-api-key": ""},
        {"x-api-key": "  "},
        {"authorization": "Bearer ", "x-api-key": MACHINE},
    ],
)
def test_whoever_sends_no_key_is_told_how(headers):
    assert refusal(**headers) == HOW


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {MACHINE[:-1]}"},
        {"authorization": f"Bearer {MACHINE}x"},
        {"authorization": f"Bearer {MACHINE.upper()}"},
        {"authorization": f"Bearer {MACHINE} {OTHER}"},
        {"authorization": f"Bearer Bearer {MACHINE}"},
        {"authorization": "Bearer 試"},
        {"authorization": "Bearer \0"},
        {"authorization": f"Bearer sk-abcd1234-{'a' * 40}"},
        {"authorization": f"Bearer {'a' * 1_000_000}"},
        {"x-api-key": "whatever"},
        {"authorization": "Bearer whatever", "x-api-key": MACHINE},
    ],
    ids=range(11),
)
def test_any_other_key_is_refused(headers):
    assert refusal(**headers) == INVALID


# Keys that do not hold


def test_a_revoked_key_is_refused(laptop):
    key, text = laptop
    key.revoke()
    assert refusal(**{"x-api-key": text}) == f"The API key {key.shown} was revoked."


def test_an_expired_key_is_refused(alice):
    end = timezone.now() - timedelta(seconds=1)
    _, text = ApiKey.objects.issue(alice, "laptop", expires_at=end)
    assert f"expired at {end:%Y-%m-%d %H:%M} UTC." in refusal(**{"x-api-key": text})


def test_a_key_of_an_inactive_person_is_refused(laptop, alice):
    key, text = laptop
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert refusal(**{"x-api-key": text}) == (
        f"The account of the API key {key.shown} is not active."
    )


@pytest.mark.parametrize("more", ["", "x"])
def test_a_refusal_does_not_repeat_the_secret(laptop, more):
    key, text = laptop
    key.revoke()
    assert text[12:] not in refusal(authorization=f"Bearer {text}{more}")


def test_a_refusal_does_not_repeat_what_is_nearly_a_key():
    assert "nearly" not in refusal(authorization="Bearer nearly-the-right-key")


def test_a_match_ends_no_comparison_early():
    with patch.object(callers.hmac, "compare_digest", wraps=callers.hmac.compare_digest) as compare:
        caller(**{"x-api-key": MACHINE})
    assert compare.call_count == 1 + 2


# In a view


def test_a_view_lets_a_key_in(laptop, alice):
    assert who_am_i(authorization=f"Bearer {laptop[1]}").data == f"user:{alice.pk}"
    assert who_am_i(**{"x-api-key": MACHINE}).data.startswith("config:")


@pytest.mark.parametrize(
    ("headers", "text"), [({}, HOW), ({"authorization": "Bearer whatever"}, INVALID)]
)
def test_a_view_answers_401_and_says_how(headers, text):
    response = who_am_i(**headers)
    assert (response.status_code, response.data["detail"].code) == (401, "invalid_api_key")
    assert response.data["detail"] == text
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_session_opens_no_view(alice):
    request = APIRequestFactory().get("/")
    request.user = alice
    assert WhoAmI.as_view()(request).status_code == 401


def test_a_view_without_this_authentication_has_no_caller():
    request = Request(APIRequestFactory().get("/"))
    request.user = AnonymousUser()
    with pytest.raises(AssertionError):
        authentication.caller(request)


# Without keys


@pytest.mark.usefixtures("no_keys_required")
class TestWithoutKeys:
    @pytest.mark.parametrize(
        "headers",
        [{}, {"authorization": "Bearer whatever"}, {"x-api-key": MACHINE}, {"authorization": ""}],
    )
    def test_everybody_is_the_local_user(self, headers):
        asker = caller(**headers)
        assert asker.user == User.objects.local()
        assert (asker.owner, asker.name, asker.key) == (f"user:{asker.user.pk}", "local", None)
        assert asker.is_authenticated

    def test_a_persons_key_makes_no_difference(self, laptop):
        assert caller(**{"x-api-key": laptop[1]}).name == "local"
        assert ApiKey.objects.get().last_used_at is None

    def test_nobody_can_sign_in_as_the_local_user(self):
        caller()
        assert not User.objects.get().has_usable_password()

    def test_the_local_user_is_made_once(self):
        assert caller().user == caller().user
        assert User.objects.count() == 1

    def test_a_policy_holds_for_the_local_user_too(self):
        Policy.objects.create(user=User.objects.local(), allowed_models=["qwen"])
        assert not caller().policy.allows_model("llama")

    @pytest.mark.parametrize(
        "origin",
        ["http://evil.example", "null", "http://testserver:81", "http://testserver.evil.example"],
    )
    def test_a_page_of_another_site_is_refused(self, origin):
        with pytest.raises(PermissionDenied, match=f"A page of {origin} may not use this service"):
            caller(origin=origin)

    def test_our_own_pages_and_programs_are_let_in(self):
        assert caller(origin="http://testserver").user == caller().user

    def test_a_site_that_is_named_is_let_in(self, settings):
        security = {"enable_auth": False, "cors_origins": ["https://app.example"]}
        configured(settings, security=security)
        assert caller(origin="https://app.example").name == "local"
        with pytest.raises(PermissionDenied):
            caller(origin="https://app.example.evil.example")

    def test_a_view_answers_403_to_a_page_of_another_site(self):
        assert who_am_i(origin="http://evil.example").status_code == 403
        assert who_am_i().status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_with_a_key_the_origin_makes_no_difference(origin):
    assert caller(origin=origin, **{"x-api-key": MACHINE}).owner.startswith("config:")
    assert refusal(origin=origin) == HOW
