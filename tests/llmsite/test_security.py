"""What Django makes of the configuration: hosts, TLS, other sites, and what pages may load."""

import re
import tomllib
from pathlib import Path

import httpx
import pytest
from django.core.checks import run_checks
from django.core.handlers.asgi import ASGIHandler
from pydantic import ValidationError

from llmsite.config import Config
from llmsite.proxies import BelievedProxies
from llmsite.sections import Security, Server
from llmsite.security import security_settings

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
PUBLIC = "https://llm.example.org"
PROXY = "10.0.0.1"
APP = "https://app.example.org"
OIDC = {"name": "n", "client_id": "c", "client_secret": "s"}
KEY = "alice-has-a-long-key"

BY_TLS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
WITHOUT_TLS = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "203.0.113.7"}


def config(server=None, security=None):
    return Config(server=Server(**server or {}), security=Security(**security or {}))


def derived(server=None, security=None):
    return security_settings(config(server, security))


@pytest.fixture
def serve(settings):
    """Django with that configuration, asked over ASGI: `serve(server={...})`."""

    def start(server=None, security=None, peer=PROXY, base_url=None):
        settings.CONFIG = config({"trusted_proxies": [PROXY], **(server or {})}, security)
        for name, value in security_settings(settings.CONFIG).items():
            setattr(settings, name, value)
        transport = httpx.ASGITransport(BelievedProxies(ASGIHandler()), client=(peer, 1))
        url = base_url or settings.CONFIG.server.public_url or "http://localhost"
        return httpx.AsyncClient(transport=transport, base_url=url)

    return start


def policy(response):
    """Its directives, each with what it lets in."""
    directives = response.headers["content-security-policy"].split("; ")
    return {name: values for name, *values in map(str.split, directives)}


# --- hosts


def test_the_service_answers_to_loopback_and_to_the_names_it_is_given():
    hosts = derived({"host": "192.0.2.1", "allowed_hosts": ["a.example"], "public_url": PUBLIC})
    assert {"localhost", "127.0.0.1", "[::1]", "192.0.2.1"} < {*hosts["ALLOWED_HOSTS"]}
    assert {"a.example", "llm.example.org"} < {*hosts["ALLOWED_HOSTS"]}


def test_an_address_of_ipv6_is_named_as_it_stands_in_urls():
    hosts = derived({"host": "2001:db8::1", "public_url": "https://[2001:db8::2]:8443"})
    assert {"[2001:db8::1]", "[2001:db8::2]"} < {*hosts["ALLOWED_HOSTS"]}


def test_any_host_will_do_only_where_anybody_may_come():
    anyone = {"i_understand_anyone_can_use_this": True}
    assert derived(security=anyone)["ALLOWED_HOSTS"] == ["*"]
    assert "*" not in derived(security={**anyone, "enable_auth": True})["ALLOWED_HOSTS"]


@pytest.mark.parametrize("accept", ["text/html,*/*", "*/*"])
async def test_who_asks_for_another_host_is_told_what_to_set(serve, accept):
    client = serve({"host": "0.0.0.0"}, {"enable_auth": True}, base_url="http://gpu-7.lan:8000")
    response = await client.get("/health", headers={"accept": accept})
    assert response.status_code == 400
    assert "gpu-7.lan:8000" in response.text
    assert "server.allowed_hosts" in response.text


async def test_a_host_that_is_markup_stays_text(serve):
    headers = {"accept": "text/html", "host": "<b>x</b>"}
    text = (await serve().get("/", headers=headers)).text
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    assert "<b>" not in text


# --- TLS


def test_with_tls_the_deployment_checks_find_nothing(settings):
    for name, value in derived({"public_url": PUBLIC}).items():
        setattr(settings, name, value)
    found = [m for m in run_checks(include_deployment_checks=True) if not m.is_silenced()]
    assert found == []


def test_without_tls_the_deployment_checks_ask_for_it_and_for_nothing_else():
    found = {m.id for m in run_checks(include_deployment_checks=True) if not m.is_silenced()}
    assert found == {"security.W004", "security.W008", "security.W012", "security.W016"}


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/v1/models?a=b"])
async def test_who_came_to_the_proxy_without_tls_is_sent_to_it(serve, path):
    client = serve({"public_url": PUBLIC}, base_url="http://llm.example.org")
    response = await client.get(path, headers=WITHOUT_TLS)
    assert (response.status_code, response.headers["location"]) == (301, f"{PUBLIC}{path}")


@pytest.mark.django_db(transaction=True)
async def test_probes_are_answered_without_tls(serve):
    client = serve({"public_url": PUBLIC}, base_url="http://127.0.0.1:8000")
    for headers in ({}, WITHOUT_TLS):
        assert (await client.get("/health", headers=headers)).status_code == 200
        assert (await client.get("/metrics", headers=headers)).status_code == 200


@pytest.mark.parametrize("peer", [PROXY, "192.0.2.1"])
async def test_nobody_goes_in_circles_though_no_proxy_says_how_they_came(serve, peer):
    client = serve({"public_url": PUBLIC}, peer=peer)
    assert not (await client.get("/v1/models")).is_redirect


async def test_browsers_are_told_to_insist_on_tls_for_this_host_alone(serve):
    response = await serve({"public_url": PUBLIC}).get("/health", headers=BY_TLS)
    assert response.headers["strict-transport-security"] == "max-age=31536000"


async def test_nobody_is_told_so_without_a_public_https_address(serve):
    response = await serve({"public_url": "http://llm.example.org"}).get("/health", headers=BY_TLS)
    assert "strict-transport-security" not in response.headers


@pytest.mark.django_db(transaction=True)
async def test_with_tls_cookies_are_for_this_host_and_tls_only(serve):
    response = await serve({"public_url": PUBLIC}).get("/accounts/login/", headers=BY_TLS)
    cookie, attributes = response.headers["set-cookie"].split(";", 1)
    assert cookie.startswith("__Host-csrftoken=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} < {
        part.strip() for part in attributes.split(";")
    }
    assert "Domain" not in attributes


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("origin", "status"), [(PUBLIC, 200), ("https://evil.example", 403)])
@pytest.mark.parametrize("headers", [BY_TLS, {}])
async def test_forms_are_taken_from_the_public_address_only(serve, origin, status, headers):
    async with serve({"public_url": PUBLIC}) as client:
        page = await client.get("/accounts/login/", headers=headers)
        (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text))
        form = {"csrfmiddlewaretoken": token, "login": "alice", "password": "wrong"}
        response = await client.post(
            "/accounts/login/", data=form, headers={**headers, "origin": origin}
        )
    assert response.status_code == status


def test_the_session_cookie_keeps_its_name_without_tls():
    assert "SESSION_COOKIE_NAME" not in derived()
    assert derived({"public_url": PUBLIC})["SESSION_COOKIE_NAME"] == "__Host-sessionid"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://LLM.example.org:443", PUBLIC),
        ("http://llm.example.org:80", "http://llm.example.org"),
        ("https://llm.example.org:8443", "https://llm.example.org:8443"),
        ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
        ("", ""),
    ],
)
def test_the_public_address_is_kept_as_browsers_send_it(written, meant):
    assert Server(public_url=written).public_url == meant


@pytest.mark.parametrize(
    "url",
    [
        *("llm.example.org", "ftp://llm.example.org", "https://", "https://a b", f"{PUBLIC}/chat"),
        *(f"{PUBLIC}/", f"{PUBLIC}:99999", f"{PUBLIC}:0", "https://bob@a.example", "https://[zz]"),
    ],
)
def test_what_is_no_public_address_is_refused(url):
    with pytest.raises(ValidationError, match="public_url"):
        Server(public_url=url)


# --- other sites


PREFLIGHT = {
    "origin": APP,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os",
}
SHARED = {"enable_auth": True, "api_keys": [KEY], "cors_origins": [APP]}


async def test_a_named_site_may_ask_before_it_has_a_key(serve):
    response = await serve(security=SHARED).options("/v1/models", headers=PREFLIGHT)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == APP
    allowed = response.headers["access-control-allow-headers"].split(", ")
    assert {"*", "authorization", "x-api-key", "idempotency-key"} == {*allowed}
    assert "POST" in response.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.django_db(transaction=True)
async def test_a_named_site_may_read_answers_and_what_they_say_of_limits(serve):
    headers = {"origin": APP, "authorization": f"Bearer {KEY}"}
    response = await serve(security=SHARED).get("/v1/models", headers=headers)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == APP
    assert "origin" in response.headers["vary"].lower()
    exposed = response.headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "retry-after", "x-ratelimit-remaining-tokens"} < {*exposed}
    assert {"x-ignored-params", "request-id"} < {*exposed}


@pytest.mark.django_db(transaction=True)
async def test_a_named_site_may_read_why_it_was_refused(serve):
    response = await serve(security=SHARED).get("/v1/models", headers={"origin": APP})
    assert response.status_code == 401
    assert response.headers["access-control-allow-origin"] == APP


@pytest.mark.parametrize(
    ("origin", "path"),
    [
        (APP, "/metrics"),
        (APP, "/models"),
        ("https://evil.example", "/v1/models"),
        ("https://app.example.org.evil.example", "/v1/models"),
        ("http://app.example.org", "/v1/models"),
        ("null", "/v1/models"),
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
@pytest.mark.django_db(transaction=True)
async def test_nobody_else_may_and_nowhere_else(serve, origin, path, method):
    headers = {**PREFLIGHT, "origin": origin, "authorization": f"Bearer {KEY}"}
    response = await serve(security=SHARED).request(method, path, headers=headers)
    assert response.status_code != 400
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.django_db(transaction=True)
async def test_by_default_no_site_may(serve):
    preflight = await serve().options("/v1/models", headers=PREFLIGHT)
    answer = await serve().get("/v1/models", headers={"origin": APP})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in {*preflight.headers, *answer.headers}


@pytest.mark.django_db(transaction=True)
async def test_without_keys_a_named_site_may_ask_too(serve):
    client = serve(security={"cors_origins": [APP]})
    assert (await client.get("/v1/models", headers={"origin": APP})).status_code == 200


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://App.example.org", APP),
        ("https://app.example.org:443", APP),
        ("http://localhost:5173", "http://localhost:5173"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_a_site_is_kept_as_browsers_send_it(written, meant):
    assert Security(cors_origins=[written]).cors_origins == [meant]


@pytest.mark.parametrize("origin", ["*", "null", "app.example.org", f"{APP}/", f"{APP}/x", "", "/"])
def test_what_is_no_site_is_refused(origin):
    with pytest.raises(ValidationError, match=r"cors_origins\.1"):
        Security(cors_origins=[APP, origin])


# --- what pages may load


async def test_our_pages_load_our_own_files_and_nothing_inline(serve):
    directives = policy(await serve().get("/health"))
    assert directives["default-src"] == directives["frame-ancestors"] == ["'none'"]
    assert directives["script-src"] == directives["style-src"] == ["'self'"]
    assert directives["base-uri"] == ["'none'"]
    assert "unsafe" not in str(directives)


@pytest.mark.django_db(transaction=True)
async def test_the_administration_compiles_templates_but_runs_no_inline_script(serve):
    directives = policy(await serve().get("/admin/login/", follow_redirects=False))
    assert directives["script-src"] == ["'self'", "'unsafe-eval'"]
    assert directives["style-src"] == ["'self'", "'unsafe-inline'"]
    assert directives["default-src"] == ["'none'"]


async def test_a_form_may_lead_to_where_people_sign_in(serve):
    urls = ["https://login.example.org:8443/realms/x", "https://other.example/.well-known/y"]
    providers = [{**OIDC, "id": f"p{n}", "server_url": url} for n, url in enumerate(urls)]
    directives = policy(await serve(security={"oidc_providers": providers}).get("/health"))
    origins = ["https://login.example.org:8443", "https://other.example"]
    assert directives["form-action"] == ["'self'", *origins]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_needs_more_than_the_policy_lets_in(path):
    """Inline scripts, handlers and styles; a script that is data is not run."""
    text = path.read_text()
    scripts = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text)
    assert scripts + re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", text) == []


# --- what is written about it


def test_the_documentation_names_settings_that_exist_and_a_valid_example():
    text = (ROOT / "docs/security.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    known = Config.model_validate(tomllib.loads(example)).model_dump()
    named = re.findall(r"`(server|security|limits)\.([a-z_]+)`", text)
    assert named
    assert all(key in known[section] for section, key in named)
