"""What an operator may set: `llmsite.toml`, and the environment above it.

`LLMSITE_SECTION__KEY` sets `key` of `[section]`; `LLMSITE_CONFIG` names another
file than `./llmsite.toml`. A missing file is fine; an unknown key or a bad value
raises ConfigError, which names the key and the value.
"""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any, TypeGuard, get_origin

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from .sections import Email, Limits, Models, Retention, Security, Server

LOOPBACK = ("127.0.0.1", "::1", "localhost")
PREFIX = "LLMSITE_"
DEFAULT_FILE = "llmsite.toml"
FILE_VARIABLE = f"{PREFIX}CONFIG"
# What may hold a secret under a wrong name, or in a wrong place.
SECRET = re.compile(r"key|secret|passw|credential|token\b|security\Z", re.IGNORECASE)

USER_INFO = re.compile(r"//[^/\s]*@")


def config_file() -> Path:
    return Path(os.environ.get(FILE_VARIABLE) or DEFAULT_FILE)


class ConfigError(Exception):
    """The configuration cannot be used; the text says which keys, and why."""


class Config(BaseSettings):
    """All settings. Sections are in the order in which the README lists them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
    )

    data_dir: Path = Field(Path("var"), description="Where all state lives.")
    server: Server = Server()
    models: Models = Models()
    security: Security = Security()
    limits: Limits = Limits()
    retention: Retention = Retention()
    email: Email = Email()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, toml_file=config_file()),
        )

    @property
    def rate_limit_per_minute(self) -> int:
        """0: no limit."""
        configured = self.limits.default_rate_limit_per_minute
        if configured is not None:
            return configured
        return 60 if self.security.enable_auth else 0


def load_config() -> Config:
    """Read the file and the environment.

    Raises:
        ConfigError: naming every key that is unknown or has a bad value.
    """
    _refuse_missing_file()
    _refuse_bad_environment()
    try:
        config = Config()
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(e) for e in error.errors())) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{config_file()}: not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{config_file()}: cannot be read: {error.strerror}") from None
    _refuse_open_service(config)
    return config


def _refuse_missing_file() -> None:
    named = os.environ.get(FILE_VARIABLE)
    if named and not Path(named).is_file():
        raise ConfigError(f"{FILE_VARIABLE}: there is no file {named!r}")


def _refuse_bad_environment() -> None:
    """pydantic-settings passes over names it does not know, and does not say which JSON is bad."""
    for name, value in os.environ.items():
        if name.upper().startswith(PREFIX) and name != FILE_VARIABLE:
            _refuse_bad_variable(name, value)


def _refuse_bad_variable(name: str, value: str) -> None:
    kind: Any = Config
    for key in name[len(PREFIX) :].lower().split("__"):
        fields = kind.model_fields if _is_section(kind) else {}
        if key not in fields:
            raise ConfigError(f"{name}: unknown setting{_shown(name, value)}")
        kind = fields[key].annotation
    if _is_section(kind) or get_origin(kind) is list:
        try:
            json.loads(value)
        except ValueError as error:
            raise ConfigError(f"{name}: not valid JSON: {error}{_shown(name, value)}") from None


def _is_section(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _explain(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    what = "unknown setting" if error["type"] == "extra_forbidden" else error["msg"]
    return f"{key}: {what}{_shown(key, error['input'])}"


def _shown(key: str, value: object) -> str:
    """The value in brackets, unless it could be a secret, or holds a URL's password."""
    if SECRET.search(key) or SECRET.search(repr(value)) or USER_INFO.search(repr(value)):
        return ""
    return f" (its value is {value!r})"


def _refuse_open_service(config: Config) -> None:
    """Without keys, only this machine may use the service, unless told otherwise. A name that
    others know it by is as good as a proxy: nobody sets one for this machine alone.
    """
    security = config.security
    if security.enable_auth:
        return
    server = config.server
    if security.i_understand_anyone_can_use_this:
        return
    for name in ("public_url", "trusted_proxies", "allowed_hosts"):
        if value := getattr(server, name):
            raise ConfigError(
                f"server.{name}: {value!r} lets others reach this service, and without"
                " security.enable_auth anyone of them could use it. Set"
                " security.enable_auth = true, or"
                " security.i_understand_anyone_can_use_this = true"
            )
    if server.host not in LOOPBACK:
        raise ConfigError(
            f"server.host: {config.server.host!r} is not loopback, and without"
            " security.enable_auth anyone who reaches it could use it. Set"
            " security.enable_auth = true, or"
            " security.i_understand_anyone_can_use_this = true"
        )
