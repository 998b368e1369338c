"""The sections of the configuration: every key, its default and what it means."""

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _network(value: str) -> str:
    ipaddress.ip_network(value)  # its ValueError says what is wrong
    return value


Network = Annotated[str, AfterValidator(_network)]

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
OWN_PORTS = {"http": ":80", "https": ":443"}


def _origin(value: str) -> str:
    """As browsers send it: in lower case, without the port that goes without saying."""
    origin = value.lower()
    if not ORIGIN.fullmatch(origin) or urlsplit(origin).port == 0:
        raise ValueError("not scheme://host[:port], such as https://app.example.org, and no path")
    return origin.removesuffix(OWN_PORTS.get(origin.partition(":")[0], ""))


Origin = Annotated[str, AfterValidator(_origin)]


def _public_url(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("not http://host[:port] or https://host[:port]")
    return value and _origin(value)


PublicUrl = Annotated[str, AfterValidator(_public_url)]


class Server(Section):
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    allowed_hosts: list[str] = Field(
        [], description="Host names the service answers to, besides `host` and loopback."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe log lines to write."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto` writes JSON unless standard error is a terminal."
    )
    drain_seconds: float = Field(
        10, ge=0, description="On shutdown, how long running answers may go on."
    )
    slow_client_seconds: float = Field(
        60,
        gt=0,
        description="A client that reads nothing of its answer for so long is hung up on,"
        " and its request cancelled.",
    )
    public_url: PublicUrl = Field(
        "",
        description="What people open, such as `https://llm.example.org`, if a proxy stands before"
        " the service. With https, cookies are for TLS only and browsers are told to insist on it.",
    )
    trusted_proxies: list[Network] = Field(
        [],
        description="Addresses or ranges of proxies whose `X-Forwarded-For` and"
        " `X-Forwarded-Proto` are believed.",
    )


class AvailableModel(Section):
    """A model to put into the registry at start, unless its id is there already."""

    id: str
    name: str = ""
    context_length: int = Field(0, ge=0)
    source: str = ""


class Models(Section):
    default_device: Literal["auto", "cuda", "metal", "cpu"] = Field(
        "auto", description="Where a model runs whose own device is `auto`."
    )
    max_concurrent_requests: int = Field(
        10,
        ge=1,
        le=256,
        description="Requests one model computes at once, unless its registry row says. More wait.",
    )
    max_waiting_requests: int = Field(
        256,
        ge=0,
        description="Requests that may wait for one model; beyond it: 429, but for owners with"
        " less than an equal share of them.",
    )
    max_loaded_models: int = Field(
        0, ge=0, description="Models in memory at once; 0: as many as fit."
    )
    memory_limit_mb: int = Field(
        0, ge=0, description="Memory for all loaded models, in MiB; 0: 80 % of the machine's."
    )
    idle_timeout_seconds: float = Field(
        900, ge=0, description="An idle model is unloaded after this long; 0: never."
    )
    load_timeout_seconds: float = Field(
        600, gt=0, description="A model that has not loaded by then has failed."
    )
    step_timeout_seconds: float = Field(
        300,
        ge=0,
        description="An engine that has work and says nothing for so long is restarted; 0: never.",
    )
    snapshot_memory_mb: int = Field(
        512,
        ge=0,
        description="Memory of each model for conversations that had to leave its KV cache, in MiB;"
        " 0: they are computed again.",
    )
    snapshot_disk_mb: int = Field(
        4096,
        ge=0,
        description="Disk for them, below `data_dir`, in MiB: what has no room in memory, and all"
        " of them when a model is unloaded; 0: none.",
    )
    snapshot_days: int = Field(
        30,
        ge=0,
        description="What was not gone on from for so long is deleted, from memory and disk;"
        " 0: only when there is no room.",
    )
    available_models: list[AvailableModel] = Field(
        [],
        description="Models to register at start: `id`, `name`, `context_length`, `source`.",
    )


# A secret, so that neither an error nor a log line shows it.
ApiKey = Annotated[SecretStr, Field(min_length=16)]


class OidcProvider(Section):
    """A server of OpenID Connect that people may sign in with."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    name: str
    server_url: str
    client_id: str
    client_secret: SecretStr


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]


class Security(Section):
    enable_auth: bool = Field(False, description="Require an API key.")
    api_keys: list[ApiKey] = Field(
        [],
        description="Keys that are accepted beside those of people, 16 characters or more each.",
    )
    i_understand_anyone_can_use_this: bool = Field(
        False, description="Allow another address than loopback with `enable_auth` off."
    )
    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="What Prometheus sends as bearer token for `/metrics`. Unset: an"
        " administrator's key, or one of `api_keys`.",
    )
    allow_sign_up: bool = Field(False, description="Let anybody make an account.")
    enable_totp: bool = Field(
        False, description="Let people protect their account with a code from an app."
    )
    oidc_providers: list[OidcProvider] = Field(
        [],
        description="Single sign-on: `id`, `name`, `server_url`, `client_id`, `client_secret`.",
    )
    cors_origins: list[Origin] = Field(
        [], description="Sites whose pages may call the API from a browser."
    )
    validators: list[str] = Field(
        [],
        description="Python paths of validators that may refuse or change prompts and answers.",
    )
    denied_patterns: list[Pattern] = Field(
        [], description="Regular expressions; a prompt in which one is found is refused."
    )
    redacted_patterns: list[Pattern] = Field(
        [],
        description="Regular expressions; what they find in prompts and answers is blotted out.",
    )


class Limits(Section):
    max_prompt_length: int | None = Field(
        None,
        ge=1,
        description="Characters of a prompt, with its tools and calls. Unset: 8192 of the older "
        "dialect's `prompt`, the model's context elsewhere.",
    )
    max_response_tokens: int | None = Field(
        None,
        ge=1,
        description="Tokens of an answer. Unset: 2048 in the older dialect, "
        "the model's context elsewhere.",
    )
    max_messages: int | None = Field(
        None, ge=1, description="Messages of a chat request. Unset: any number."
    )
    max_images: int = Field(8, ge=0, description="Images of a chat request.")
    max_body_mb: float = Field(10, gt=0, description="Size of a request, in MiB.")
    max_sessions: int = Field(
        1000,
        ge=1,
        description="Sessions that a caller may have in the older dialect; beyond it the one that"
        " has been idle for longest goes.",
    )
    session_ttl_seconds: int = Field(
        3600, ge=1, description="A session that nobody has used for so long is gone."
    )
    max_attachment_mb: float = Field(
        10,
        gt=0,
        description="Size of an attached file, in MiB. The request that brings it is held to "
        "`max_body_mb` as well, so that has to be a little more.",
    )
    max_attachment_characters: int = Field(
        400_000, ge=1, description="Characters of an attached file's text."
    )
    max_attachments: int = Field(10, ge=0, description="Files attached to one message.")
    max_stored_attachment_characters: int = Field(
        100_000_000,
        ge=0,
        description="Characters of all attached files that a person keeps; those in deleted"
        " conversations count, too.",
    )
    max_unsent_attachments: int = Field(
        50, ge=0, description="Files that a person may hold and has not sent."
    )
    default_rate_limit_per_minute: int | None = Field(
        None,
        ge=0,
        description="Requests a minute for each key and each address; 0: no limit. "
        "Unset: 60 with `enable_auth`, no limit without.",
    )


class Email(Section):
    """How messages are sent, such as those for a forgotten password. No host: not at all."""

    host: str = Field("", description="Server that takes mail; empty: no mail is sent.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    use_tls: bool = Field(True, description="Speak STARTTLS with it.")
    username: str = Field("", description="Name to sign in to it with, if any.")
    password: SecretStr | None = Field(None, description="Password to sign in to it with.")
    sender: str = Field("llmsite@localhost", description="Address that messages come from.")


class Retention(Section):
    usage_days: int = Field(
        400, ge=32, description="Days that a request's usage record is kept; sums a day stay."
    )
    prompt_days: int = Field(
        30, ge=1, description="Days that prompts and answers are kept, of those who allow it."
    )
    idempotency_hours: int = Field(
        24, ge=1, description="Hours that an answer can be asked for again by `Idempotency-Key`."
    )
    receipt_days: int = Field(
        90, ge=1, description="Days that receipts of deterministic answers are kept."
    )
    deleted_chat_days: int = Field(
        30, ge=1, description="Days that a deleted conversation can be restored."
    )
