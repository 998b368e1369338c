"""Presets: a model, a system prompt and parameters, kept from one conversation for others."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.pages.person import person
from chat.models import Conversation
from chat.naming import NameForm

from .answers import said
from .own import own_conversation, owner_of

MAX_PRESETS = 200

accepts_forms = require_http_methods(["GET", "HEAD", "POST"])


@never_cache
@require_safe
def presets(request: HttpRequest) -> HttpResponse:
    return render(request, "chat/presets.html", {"presets": person(request).presets.all()})


@never_cache
@accepts_forms
def keep(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The conversation's settings, under a name."""
    conversation = own_conversation(request, uid)
    mine = person(request).presets
    form = NameForm(request.POST or None, others=mine.all())
    if request.method == "POST" and form.is_valid():
        if mine.count() < MAX_PRESETS:
            mine.create(
                name=form.cleaned_data["name"],
                model=conversation.model,
                system_prompt=conversation.system_prompt,
                parameters=conversation.parameters,
            )
            return said(request, _("The settings are kept as a preset."), "presets")
        form.add_error(
            None, _("There are %(most)d presets, and no more fit.") % {"most": MAX_PRESETS}
        )
    return render(request, "chat/preset_keep.html", {"conversation": conversation, "form": form})


@never_cache
@require_POST
def use(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin a conversation with those settings; nothing is said in it yet."""
    user = person(request)
    preset = get_object_or_404(user.presets, pk=pk)
    conversation = Conversation.objects.create(
        owner=owner_of(request),
        user=user,
        model=preset.model,
        system_prompt=preset.system_prompt,
        parameters=preset.parameters,
    )
    return redirect(conversation)


@never_cache
@accepts_forms
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    mine = person(request).presets
    preset = get_object_or_404(mine, pk=pk)
    others = mine.exclude(pk=pk)
    form = NameForm(request.POST or None, others=others, initial={"name": preset.name})
    if request.method == "POST" and form.is_valid():
        preset.name = form.cleaned_data["name"]
        preset.save(update_fields=["name"])
        return said(request, _("The preset has another name now."), "presets")
    context = {"form": form, "heading": _("Rename a preset"), "thing": preset.name}
    return render(request, "chat/name.html", {**context, "back": "presets"})


@never_cache
@accepts_forms
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    preset = get_object_or_404(person(request).presets, pk=pk)
    if request.method != "POST":
        return render(request, "chat/preset_delete.html", {"preset": preset})
    preset.delete()
    return said(request, _("The preset was deleted."), "presets")
