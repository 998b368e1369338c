"""The registry of models: what is done with its rows."""

from .adding import add, free_slug, get, get_or_add, save_changed, source_uri
from .configured import ConfiguredModel, ensure_default, register_configured
from .errors import (
    CorruptedModelFile,
    DuplicateModel,
    InvalidModel,
    NotFetched,
    RegistryError,
    SourceChanged,
    UnknownModel,
)
from .files import fetch_model, is_fetched, verify

__all__ = [
    "ConfiguredModel",
    "CorruptedModelFile",
    "DuplicateModel",
    "InvalidModel",
    "NotFetched",
    "RegistryError",
    "SourceChanged",
    "UnknownModel",
    "add",
    "ensure_default",
    "fetch_model",
    "free_slug",
    "get",
    "get_or_add",
    "is_fetched",
    "register_configured",
    "save_changed",
    "source_uri",
    "verify",
]
