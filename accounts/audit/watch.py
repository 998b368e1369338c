"""Writes to the audit log what happens to the rows of a model.

Rows are read before and after a save: only the database knows what was there. Not
seen is what sends no signal, `QuerySet.update` and `bulk_create`, and what `loaddata`
brings: rows copied from another database, with the log that explains them.
"""

from collections.abc import Collection
from typing import Any

from django.db.models import ManyToManyField, Model
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save

from accounts import audit

Row = dict[str, Any]

BEFORE = "_audited_before"


class Watch:
    """Records that rows of one model are created, changed and deleted.

    Columns in `unseen` are not worth an entry.
    """

    def __init__(self, model: type[Model], noun: str, unseen: Collection[str] = ()) -> None:
        self.model, self.noun, self.unseen = model, noun, {"id", *unseen}
        pre_save.connect(self._before_save, sender=model, weak=False)
        post_save.connect(self._after_save, sender=model, weak=False)
        # Not after: an entry whose actor is that very person must still be able to name them.
        pre_delete.connect(self._before_delete, sender=model, weak=False)

    def target(self, instance: Model) -> str:
        return f"{self.noun}:{instance.pk} {instance}"

    def facts(self, row: Row) -> Row:
        """Of a row or a part of one, what may be written down."""
        return {name: value for name, value in row.items() if name not in self.unseen}

    def verb(self, new: Row) -> str:
        """What has been done, by what is new."""
        return "changed"

    def on_change(self, instance: Model, before: Row, after: Row) -> None:
        old, new = map(self.facts, audit.diff(before, after))
        if old:
            action = f"{self.noun}.{self.verb(new)}"
            audit.record(action, self.target(instance), before=old, after=new)

    def _before_save(
        self, instance: Model, raw: bool, update_fields: Collection[str] | None, **_: Any
    ) -> None:
        instance.__dict__.pop(BEFORE, None)  # of a save that failed
        if not raw and (update_fields is None or not self.unseen.issuperset(update_fields)):
            instance.__dict__[BEFORE] = self._stored(instance)

    def _after_save(self, instance: Model, **_: Any) -> None:
        if BEFORE not in instance.__dict__:
            return
        before, after = instance.__dict__.pop(BEFORE), self._stored(instance)
        assert after is not None
        if before is None:
            action = f"{self.noun}.created"
            audit.record(action, self.target(instance), after=self._said(after))
        else:
            self.on_change(instance, before, after)

    def _before_delete(self, instance: Model, **_: Any) -> None:
        if row := self._stored(instance):
            action = f"{self.noun}.deleted"
            audit.record(action, self.target(instance), before=self._said(row))

    def _stored(self, instance: Model) -> Row | None:
        if instance.pk is None:
            return None
        return self.model._base_manager.filter(pk=instance.pk).values().first()

    def _said(self, row: Row) -> Row:
        """A whole row's facts, without what is not filled in."""
        return {name: value for name, value in self.facts(row).items() if value not in (None, "")}


class LinkWatch:
    """Records what a many-to-many field links, from whichever end, as a change of its owner."""

    def __init__(self, owner: type[Model], field: str, column: str, noun: str) -> None:
        self.owner, self.field, self.column, self.noun = owner, field, column, noun
        link = owner._meta.get_field(field)
        assert isinstance(link, ManyToManyField)
        m2m_changed.connect(self._on_links, sender=link.remote_field.through, weak=False)

    def _on_links(
        self, instance: Model, action: str, reverse: bool, pk_set: set[Any] | None, **_: Any
    ) -> None:
        if action.startswith("pre_"):
            owners = self._owners(instance, pk_set) if reverse else {instance.pk}
            instance.__dict__[BEFORE + self.field] = self._linked(owners)
        else:
            before = instance.__dict__.pop(BEFORE + self.field)
            self._record(before, self._linked(before))

    def _owners(self, linked: Model, pk_set: set[Any] | None) -> Collection[Any]:
        """Those whose links change at the other end; all of them when it is cleared."""
        if pk_set is not None:
            return pk_set
        found = self.owner._base_manager.filter(**{self.field: linked.pk})
        return set(found.values_list("pk", flat=True))

    def _linked(self, owners: Collection[Any]) -> dict[Any, list[str]]:
        """What each owner is linked with, by name."""
        names: dict[Any, list[str]] = {owner: [] for owner in owners}
        rows = self.owner._base_manager.filter(pk__in=names)
        path = f"{self.field}__{self.column}"
        for owner, name in rows.exclude(**{path: None}).order_by(path).values_list("pk", path):
            names[owner].append(name)
        return names

    def _record(self, before: dict[Any, list[str]], after: dict[Any, list[str]]) -> None:
        changed = [owner for owner, names in before.items() if names != after[owner]]
        for owner in self.owner._base_manager.filter(pk__in=changed).order_by("pk"):
            audit.record(
                f"{self.noun}.changed",
                f"{self.noun}:{owner.pk} {owner}",
                before={self.field: before[owner.pk]},
                after={self.field: after[owner.pk]},
            )
