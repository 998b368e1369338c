from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def take_titles(apps, schema_editor):
    """What links showed until now: their conversations' titles."""
    Share, Conversation = apps.get_model("chat", "Share"), apps.get_model("chat", "Conversation")
    of_share = Conversation.objects.filter(pk=OuterRef("conversation_id"))
    Share.objects.update(title=Subquery(of_share.values("title")[:1]))


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0003_share_lengths'),
    ]

    operations = [
        migrations.AddField(
            model_name='share',
            name='title',
            field=models.CharField(blank=True, help_text='As it was then.', max_length=200),
        ),
        migrations.RunPython(take_titles, migrations.RunPython.noop),
    ]
