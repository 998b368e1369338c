"""How a conversation's next answers are made: its system prompt and parameters."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from .forms import SettingsForm
from .own import own_conversation


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def conversation_settings(request: HttpRequest, uid: UUID) -> HttpResponse:
    """A page of its own; the chat page posts here, too, and shows the fields that come back."""
    conversation = own_conversation(request, uid)
    if request.method != "POST":
        form = SettingsForm.of(conversation)
        return _page(request, {"form": form, "conversation": conversation})
    form = SettingsForm(request.POST)
    if not form.is_valid():
        return _page(request, {"form": form, "conversation": conversation}, status=400)
    form.save_to(conversation)
    return redirect("conversation", uid=conversation.uid)


def _page(request: HttpRequest, context: dict[str, object], status: int = 200) -> HttpResponse:
    return render(request, "chat/settings_page.html", context, status=status)
