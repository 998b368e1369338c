"""The folders that a person keeps conversations in."""

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.pages.person import person
from chat.models import Folder
from chat.models.conversation import MAX_FOLDERS
from chat.naming import NameForm

from .answers import said

accepts_forms = require_http_methods(["GET", "HEAD", "POST"])


@never_cache
@accepts_forms
def folders(request: HttpRequest) -> HttpResponse:
    """Lists them, and makes one."""
    mine = person(request).folders
    form = NameForm(request.POST or None, others=mine.all())
    if request.method == "POST" and form.is_valid():
        if mine.count() < MAX_FOLDERS:
            mine.create(name=form.cleaned_data["name"])
            return redirect("folders")
        form.add_error(
            None, _("There are %(most)d folders, and no more fit.") % {"most": MAX_FOLDERS}
        )
    kept = Count("conversations", filter=Q(conversations__deleted_at=None))
    return render(request, "chat/folders.html", {"folders": mine.annotate(kept=kept), "form": form})


@never_cache
@accepts_forms
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    mine = person(request).folders
    folder = get_object_or_404(mine, pk=pk)
    others = mine.exclude(pk=pk)
    form = NameForm(request.POST or None, others=others, initial={"name": folder.name})
    if request.method != "POST" or not form.is_valid():
        return render(request, "chat/name.html", _context(folder, form))
    folder.name = form.cleaned_data["name"]
    folder.save(update_fields=["name"])
    return said(request, _("The folder has another name now."), "folders")


def _context(folder: Folder, form: NameForm) -> dict[str, object]:
    return {"form": form, "heading": _("Rename a folder"), "thing": folder.name, "back": "folders"}


@never_cache
@accepts_forms
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Its conversations stay, among the others."""
    folder = get_object_or_404(person(request).folders, pk=pk)
    if request.method != "POST":
        return render(request, "chat/folder_delete.html", {"folder": folder})
    folder.delete()
    return said(request, _("The folder was deleted; its conversations were not."), "folders")
