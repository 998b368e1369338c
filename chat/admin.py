"""Conversations in the administration: how many and how large, and not a word of them.

What people say to models is theirs. Administrators see whose a conversation is, when it
grew and what it holds by number, and may delete it; titles, messages, prompts and names
of files are on no page here.
"""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from accounts import audit
from accounts.admin.access import ReadOnlyAdmin
from accounts.admin.texts import moment

from .models import Conversation


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    date_hierarchy = "created_at"
    list_display = ["uid", "owner", "user", "model", "messages_in_it", "grew", "state"]
    list_filter = [("user", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["uid", "owner", "user__username"]
    search_help_text = "A conversation's id, or whose it is."
    ordering = ["-updated_at", "-pk"]
    fieldsets = [
        (None, {"fields": ["uid", "owner", "user", "model", "state"]}),
        ("In it", {"fields": ["messages_in_it", "files_in_it", "links_to_it"]}),
        ("When (UTC)", {"fields": ["began", "grew", "was_deleted"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        return super().get_queryset(request).annotate(num_messages=Count("messages"))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chat.delete_conversation")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """By number: the usual list names every message and file."""
        names = [str(conversation) for conversation in objs]
        count = sum(conversation.messages.count() for conversation in objs)
        return names, {"conversations": len(names), "messages": count}, set(), []

    def delete_model(self, request: HttpRequest, obj: Conversation) -> None:
        _note_deletion(obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> None:
        for conversation in queryset:
            _note_deletion(conversation)
        Conversation.objects.filter(pk__in=[*queryset.values_list("pk", flat=True)]).delete()

    @display(description="Messages")
    def messages_in_it(self, row: Any) -> int:
        number: int = row.num_messages
        return number

    @display(description="Attachments")
    def files_in_it(self, row: Conversation) -> int:
        return row.messages.exclude(attachments=None).values("attachments").count()

    @display(description="Shared links")
    def links_to_it(self, row: Conversation) -> int:
        return row.shares.filter(revoked_at=None).count()

    @display(description="Began", ordering="created_at")
    def began(self, row: Conversation) -> str:
        return moment(row.created_at)

    @display(description="Last grew (UTC)", ordering="updated_at")
    def grew(self, row: Conversation) -> str:
        return moment(row.updated_at)

    @display(description="Deleted")
    def was_deleted(self, row: Conversation) -> str:
        return moment(row.deleted_at)

    @display(description="State", label={"deleted": "danger", "archived": "info"})
    def state(self, row: Conversation) -> str:
        if row.deleted_at:
            return "deleted"
        return "archived" if row.archived_at else "session" if row.session_id else "kept"


def _note_deletion(conversation: Conversation) -> None:
    target = f"conversation:{conversation.pk} {conversation.uid} of {conversation.owner}"
    audit.record("conversation.deleted", target)
