from django.db import migrations

from chat.search.install import install, remove


class Migration(migrations.Migration):
    """The words of messages and titles, as SQLite (FTS5) and PostgreSQL (GIN) index them."""

    dependencies = [("chat", "0001_conversations")]
    operations = [migrations.RunPython(install, remove)]
