import os

import pytest

from llmsite.config import Config, ConfigError, load_config

SECRET = "sk-do-not-show-me"
WITH_KEY = "[security]\nenable_auth = true\napi_keys = ['sixteen-or-more-letters']"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No setting of the developer's, and a working directory without a file."""
    for name in [n for n in os.environ if n.upper().startswith("LLMSITE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def write_file(tmp_path):
    return (tmp_path / "llmsite.toml").write_text


def refusal() -> str:
    with pytest.raises(ConfigError) as caught:
        load_config()
    return str(caught.value)


# --- where settings come from


def test_nothing_has_to_be_set():
    config = load_config()
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8000)


def test_the_file_is_read(write_file):
    write_file("[server]\nport = 1234")
    assert load_config().server.port == 1234


def test_another_file_may_be_named(monkeypatch, tmp_path):
    (tmp_path / "other.toml").write_text("[server]\nport = 1234")
    monkeypatch.setenv("LLMSITE_CONFIG", "other.toml")
    assert load_config().server.port == 1234


def test_an_empty_name_means_the_usual_file(monkeypatch, write_file):
    write_file("[server]\nport = 1234")
    monkeypatch.setenv("LLMSITE_CONFIG", "")
    assert load_config().server.port == 1234


def test_the_environment_beats_the_file_key_by_key(monkeypatch, write_file):
    write_file('[server]\nport = 1234\nhost = "::1"')
    monkeypatch.setenv("LLMSITE_SERVER__PORT", "4321")
    config = load_config()
    assert (config.server.host, config.server.port) == ("::1", 4321)


def test_the_environment_takes_lists_as_json(monkeypatch):
    monkeypatch.setenv("LLMSITE_SECURITY__ENABLE_AUTH", "true")
    monkeypatch.setenv("LLMSITE_SERVER__ALLOWED_HOSTS", '["a.example", "b.example"]')
    assert load_config().server.allowed_hosts == ["a.example", "b.example"]


def test_the_older_services_sample_is_accepted(write_file):
    write_file(
        """
        [server]
        host = "127.0.0.1"
        port = 3000
        log_level = "info"

        [models]
        default_device = "cuda"  # cuda, cpu, metal
        max_concurrent_requests = 10

        [[models.available_models]]
        id = "qwen"
        name = "Qwen/Qwen2.5-0.5B-Instruct"
        context_length = 4096

        [security]
        enable_auth = false  # Set true to require API keys

        [limits]
        max_prompt_length = 8192
        max_response_tokens = 2048
        max_sessions = 1000
        default_rate_limit_per_minute = 60
        """
    )
    config = load_config()
    [model] = config.models.available_models
    assert (config.server.port, config.server.log_level) == (3000, "info")
    assert config.models.default_device == "cuda"
    assert config.models.max_concurrent_requests == 10
    assert (model.id, model.name) == ("qwen", "Qwen/Qwen2.5-0.5B-Instruct")
    assert model.context_length == 4096
    assert config.limits.max_prompt_length == 8192
    assert config.limits.max_response_tokens == 2048
    assert config.limits.max_sessions == 1000
    assert config.rate_limit_per_minute == 60


# --- what stops the start, and what it says


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("colour = 7", "colour", "7"),
        ("[server]\nprot = 7", "server.prot", "7"),
        ("[sever]\nport = 7", "sever", "{'port': 7}"),
        ("server = 7", "server", "7"),
        ("[server]\nport = 'high'", "server.port", "'high'"),
        ("[server]\nport = 70000", "server.port", "70000"),
        ("[server]\nlog_level = 'loud'", "server.log_level", "'loud'"),
        ("[security]\nenable_auth = 'maybe'", "security.enable_auth", "'maybe'"),
        ("[limits]\nmax_response_tokens = 0", "limits.max_response_tokens", "0"),
        (
            "[[models.available_models]]\nid = 'a'\nnme = 'b'",
            "models.available_models.0.nme",
            "'b'",
        ),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_value(write_file, text, key, value):
    write_file(text)
    said = refusal()
    assert said.startswith(f"{key}: ")
    assert said.endswith(f"(its value is {value})")


def test_every_mistake_is_named(write_file):
    write_file("[server]\nprot = 7\n[limits]\nmax_sessions = 0")
    text = refusal()
    assert "server.prot: " in text
    assert "limits.max_sessions: " in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLMSITE_COLOUR", "7"),
        ("LLMSITE_SERVER__PROT", "7"),
        ("llmsite_server__prot", "7"),
        ("LLMSITE_SERVER_PORT", "7"),
        ("LLMSITE_SEVER__PORT", "7"),
        ("LLMSITE_SERVER__PORT__X", "7"),
        ("LLMSITE_DATA_DIR__X", "7"),
        ("LLMSITE_SERVER__ALLOWED_HOSTS", "[a.example"),
        ("LLMSITE_SERVER", "{port"),
    ],
)
def test_a_mistake_in_the_environment_is_named_with_its_value(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    said = refusal()
    assert said.startswith(f"{name}: ")
    assert said.endswith(f"(its value is {value!r})")


def test_a_bad_value_in_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("LLMSITE_SERVER__PORT", "high")
    said = refusal()
    assert said.startswith("server.port: ")
    assert said.endswith("(its value is 'high')")


def test_a_file_that_is_not_toml_is_named(write_file):
    write_file("[server\nport")
    assert refusal().startswith("llmsite.toml: not valid TOML: ")


def test_a_file_that_is_not_text_is_named(tmp_path):
    (tmp_path / "llmsite.toml").write_bytes(b"\xff\xfe")
    assert refusal().startswith("llmsite.toml: not valid TOML: ")


def test_a_named_file_that_is_missing_is_named(monkeypatch):
    monkeypatch.setenv("LLMSITE_CONFIG", "/nowhere/llmsite.toml")
    assert refusal() == "LLMSITE_CONFIG: there is no file '/nowhere/llmsite.toml'"


# --- secrets


@pytest.mark.parametrize(
    "text",
    [
        f"[security]\napi_keys = ['{SECRET[:12]}']",
        f"[security]\napi_keys = '{SECRET}'",
        f"[security]\napi_keys = {{a = '{SECRET}'}}",
        f"[security]\napi_keys = ['{SECRET}', 3]",
        f"[security]\napi_key = ['{SECRET}']",
        f"[secrity]\napi_keys = ['{SECRET}']",
        f"security = '{SECRET}'",
        f"api_keys = ['{SECRET}']",
        f"[security]\napi_keys = ['{SECRET}]",
        f"[server]\npassword = '{SECRET}'",
    ],
)
def test_a_secret_in_the_file_is_never_shown(write_file, text):
    write_file(text)
    assert SECRET[:12] not in refusal()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLMSITE_SECURITY__API_KEYS", SECRET),
        ("LLMSITE_SECURITY__API_KEYS", f'["{SECRET}"'),
        ("LLMSITE_SECURITY__API_KEYS", f'"{SECRET}"'),
        ("LLMSITE_SECURITY__API_KEYS", f'["{SECRET[:12]}"]'),
        ("LLMSITE_SECURITY__API_KEY", SECRET),
        ("LLMSITE_SECURTY__API_KEYS", SECRET),
        ("LLMSITE_API_KEYS", SECRET),
        ("LLMSITE_SECURITY", f'["{SECRET}"]'),
        ("LLMSITE_SECURITY", SECRET),
        ("LLMSITE_HF_TOKEN", SECRET),
    ],
)
def test_a_secret_in_the_environment_is_never_shown(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert SECRET[:12] not in refusal()


def test_a_secret_is_not_in_the_configurations_text(write_file):
    write_file(f"[security]\nenable_auth = true\napi_keys = ['{SECRET}']")
    config = load_config()
    assert config.security.api_keys[0].get_secret_value() == SECRET
    assert SECRET not in f"{config!r} {config}"


def test_a_refusal_hides_what_pydantic_said(write_file):
    """A traceback would print the chained error, with its input."""
    write_file(f"[security]\napi_keys = ['{SECRET[:12]}']")
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert caught.value.__suppress_context__


# --- who may use it


def test_without_keys_only_this_machine_may_use_it(write_file):
    write_file("[server]\nhost = '0.0.0.0'")
    assert refusal().startswith("server.host: '0.0.0.0' is not loopback")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_no_keys(write_file, host):
    write_file(f"[server]\nhost = '{host}'")
    assert load_config().server.host == host


def test_an_open_service_must_be_wanted(write_file):
    write_file("[server]\nhost = '0.0.0.0'\n[security]\ni_understand_anyone_can_use_this = true")
    assert load_config().server.host == "0.0.0.0"


def test_with_keys_others_may_use_it(write_file):
    write_file(f"[server]\nhost = '0.0.0.0'\n{WITH_KEY}")
    assert load_config().server.host == "0.0.0.0"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_authentication_needs_no_key_of_the_configuration(write_file, host):
    write_file(f"[server]\nhost = '{host}'\n[security]\nenable_auth = true")
    assert load_config().security.enable_auth


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ("", 0),
        (WITH_KEY, 60),
        ("[limits]\ndefault_rate_limit_per_minute = 5", 5),
        (f"{WITH_KEY}\n[limits]\ndefault_rate_limit_per_minute = 0", 0),
    ],
)
def test_the_rate_limit_follows_authentication_unless_it_is_set(write_file, settings, limit):
    write_file(settings)
    assert load_config().rate_limit_per_minute == limit


def test_every_setting_says_what_it_is_for():
    sections = [f.annotation for f in Config.model_fields.values() if not f.description]
    undocumented = [n for s in sections for n, f in s.model_fields.items() if not f.description]
    assert undocumented == []


def test_a_password_in_a_url_is_not_repeated(monkeypatch):
    models = '[{"source": "https://bob:hunter2@host/m.gguf"}]'
    monkeypatch.setenv("LLMSITE_MODELS__AVAILABLE_MODELS", models)
    with pytest.raises(ConfigError, match=r"available_models\.0\.id") as caught:
        load_config()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "server",
    [
        "public_url = 'https://llm.example.org'",
        "trusted_proxies = ['10.0.0.1']",
        "allowed_hosts = ['llm.example.org']",
    ],
)
def test_a_service_behind_a_proxy_needs_accounts(write_file, server):
    write_file(f"[server]\n{server}")
    assert refusal().startswith(f"server.{server.split()[0]}: ")
    write_file(f"[server]\n{server}\n[security]\nenable_auth = true")
    assert load_config().security.enable_auth
