"""Keys count with those they were rotated from, and what was kept by key goes over."""

import uuid

from django.db import migrations, models


def fill(apps, schema_editor):
    """Every chain of rotations gets a lineage of its own, from its last key backwards."""
    keys = apps.get_model("accounts", "ApiKey").objects
    for last in keys.filter(replaced_by=None).iterator():
        lineage, key = uuid.uuid4(), last
        while key is not None:
            keys.filter(pk=key.pk).update(lineage=lineage)
            hand_over(apps, f"key:{key.pk}", f"key:{lineage.hex}")
            key = keys.filter(replaced_by=key).first()


def hand_over(apps, old, new):
    """Answers stay their caller's, the later key's first. Counters start from the ledger."""
    answers = apps.get_model("accounts", "IdempotentAnswer").objects
    taken = [*answers.filter(owner=new).values_list("key", flat=True)]
    answers.filter(owner=old).exclude(key__in=taken).update(owner=new)
    apps.get_model("accounts", "QuotaWindow").objects.filter(subject=old).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_accounts'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='lineage',
            field=models.UUIDField(db_index=True, default=uuid.uuid4, editable=False, help_text='The same for a key and all it was rotated to: they count as one.'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
