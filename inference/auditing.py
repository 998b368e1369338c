"""What happens to the registry goes into the audit log."""

from django.db.models import Model

from accounts.audit.watch import Row, Watch

from .models import Alias, LanguageModel
from .sources import redacted

SOURCES = ("source", "projector")  # which may have credentials in them


class ModelWatch(Watch):
    def verb(self, new: Row) -> str:
        """Only a fetch gives a row a file; a new source takes it away."""
        came = new.get("file") or new.get("projector_file")
        return "fetched" if came else "changed"

    def facts(self, row: Row) -> Row:
        seen = super().facts(row)
        hidden = {name: redacted(seen[name]) for name in SOURCES if name in seen}
        return {**seen, **hidden}


def target_of(row: Model) -> str:
    return MODELS.target(row)


MODELS = ModelWatch(LanguageModel, "model", unseen=["created_at", "updated_at"])
ALIASES = Watch(Alias, "alias")
