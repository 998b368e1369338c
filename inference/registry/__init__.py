"""The registry of models: what is done with its rows."""

from .adding import add, base_of, draft_of, free_slug, get, get_or_add, save_changed, source_uri
from .configured import ConfiguredModel, ensure_default, register_configured
from .drafts import check_draft
from .errors import (
    CorruptedModelFile,
    DuplicateModel,
    InvalidModel,
    ModelInUse,
    NotFetched,
    RegistryError,
    SourceChanged,
    UnknownBase,
    UnknownDraft,
    UnknownModel,
)
from .files import fetch_model, is_fetched, verify

__all__ = [
    "ConfiguredModel",
    "CorruptedModelFile",
    "DuplicateModel",
    "InvalidModel",
    "ModelInUse",
    "NotFetched",
    "RegistryError",
    "SourceChanged",
    "UnknownBase",
    "UnknownDraft",
    "UnknownModel",
    "add",
    "base_of",
    "check_draft",
    "draft_of",
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
