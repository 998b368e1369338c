"""The registry: which models this service offers; and what it signs for."""

from .language_model import (
    MAX_SYSTEM_PROMPT,
    Alias,
    CacheType,
    ContextPolicy,
    Device,
    FlashAttention,
    LanguageModel,
    LanguageModelQuerySet,
    SplitMode,
    Task,
    alias_validator,
    slug_validator,
    tensor_split_validator,
)
from .receipt import Receipt

__all__ = [
    "MAX_SYSTEM_PROMPT",
    "Alias",
    "CacheType",
    "ContextPolicy",
    "Device",
    "FlashAttention",
    "LanguageModel",
    "LanguageModelQuerySet",
    "Receipt",
    "SplitMode",
    "Task",
    "alias_validator",
    "slug_validator",
    "tensor_split_validator",
]
