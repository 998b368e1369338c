"""What happens to the registry goes into the audit log."""

from django.db.models import Model

from accounts.audit.watch import Row, Watch

from .models import Alias, LanguageModel
from .sources import redacted


class ModelWatch(Watch):
    def verb(self, new: Row) -> str:
        """Only a fetch gives a row a file; a new source takes it away."""
        return "fetched" if new.get("file") else "changed"

    def facts(self, row: Row) -> Row:
        seen = super().facts(row)
        return {**seen, "source": redacted(seen["source"])} if "source" in seen else seen


def target_of(row: Model) -> str:
    return MODELS.target(row)


MODELS = ModelWatch(LanguageModel, "model", unseen=["created_at", "updated_at"])
ALIASES = Watch(Alias, "alias")
