from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_delete


class ChatConfig(AppConfig):
    name = "chat"

    def ready(self) -> None:
        from accounts import retention
        from inference import admission

        from .abandoned import give_up_abandoned
        from .retention import forget_old
        from .search.install import reinstall
        from .stopping import stop_deleted

        retention.TIDIERS.append(forget_old)
        admission.KEEPERS.append(give_up_abandoned)
        post_migrate.connect(reinstall, sender=self)
        pre_delete.connect(stop_deleted, sender="chat.Conversation")
