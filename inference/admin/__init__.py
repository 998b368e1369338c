"""The registry and the receipts in the administration."""

from .models import LanguageModelAdmin, LanguageModelForm
from .receipts import ReceiptAdmin

__all__ = ["LanguageModelAdmin", "LanguageModelForm", "ReceiptAdmin"]
