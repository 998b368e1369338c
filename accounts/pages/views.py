"""Pages about a person's own keys and usage."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit, reports
from accounts.callers import policy_of
from accounts.downloads import download
from accounts.models import ApiKey, UsageRecord, User
from accounts.plain_words import rules

from .forms import NewKeyForm, RenameForm, RotateForm
from .own_keys import alone, can_rotate, rows
from .person import person

MAX_ENDED = 50
USAGE_DAYS = 30
USAGE_COLUMNS = [
    *("at", "key", "model", "endpoint", "status"),
    *("prompt_tokens", "cached_tokens", "completion_tokens"),
    *("queued_seconds", "prefill_seconds", "decode_seconds", "request_id"),
]

accepts_forms = require_http_methods(["GET", "HEAD", "POST"])


@never_cache
@accepts_forms
def my_keys(request: HttpRequest) -> HttpResponse:
    """Lists the keys, and makes one."""
    user = person(request)
    if request.method != "POST":
        return _list(request, user, NewKeyForm(user=user))
    with alone(user):
        form = NewKeyForm(request.POST, user=user)
        if form.is_valid():
            key, text = ApiKey.objects.issue(user, form.cleaned_data["name"], form.expires_at)
            return _show_once(request, key, text)
    return _list(request, user, form)


def _list(request: HttpRequest, user: User, form: NewKeyForm) -> HttpResponse:
    now = timezone.now()
    own = ApiKey.objects.owned_by(user).select_related("policy", "replaced_by")
    active = own.active(now)
    ended = own.exclude(pk__in=active.values("pk"))[:MAX_ENDED]
    context = {
        "form": form,
        "active": rows(list(active), now),
        "ended": rows(list(ended), now),
        "rules": rules(policy_of(user)),
        "chart": reports.chart_by_day(UsageRecord.objects.filter(user=user), days=USAGE_DAYS),
    }
    return render(request, "accounts/my_keys.html", context)


def _show_once(request: HttpRequest, key: ApiKey, text: str) -> HttpResponse:
    """The only time that the key's text is sent: not stored, and not redirected with."""
    return render(request, "accounts/new_key.html", {"key": key, "text": text})


def _own_key(user: User, pk: int) -> ApiKey:
    """Of somebody else's there is no page."""
    return get_object_or_404(ApiKey.objects.owned_by(user), pk=pk)


@never_cache
@accepts_forms
def rename_key(request: HttpRequest, pk: int) -> HttpResponse:
    key = _own_key(person(request), pk)
    form = RenameForm(request.POST or None, initial={"name": key.name})
    if not form.is_valid():
        return render(request, "accounts/key_rename.html", {"key": key, "form": form})
    key.name = form.cleaned_data["name"]
    key.save(update_fields=["name"])  # all else may have changed since it was read
    return _back(request, _("The key has another name now."))


@never_cache
@accepts_forms
def rotate_key(request: HttpRequest, pk: int) -> HttpResponse:
    user = person(request)
    key, form = _own_key(user, pk), RotateForm(request.POST or None, user=user)
    if request.method == "POST":
        with alone(user):
            key.refresh_from_db()
            if can_rotate(key) and form.is_valid():
                return _show_once(request, *key.rotate(form.overlap))
    context = {"key": key, "form": form, "can_rotate": can_rotate(key)}
    return render(request, "accounts/key_rotate.html", context)


@never_cache
@accepts_forms
def revoke_key(request: HttpRequest, pk: int) -> HttpResponse:
    key = _own_key(person(request), pk)
    if request.method != "POST":
        return render(request, "accounts/key_revoke.html", {"key": key})
    text = _("%(key)s is revoked.") if key.revoke() else _("%(key)s was revoked before.")
    return _back(request, text % {"key": key})


def _back(request: HttpRequest, message: str) -> HttpResponseRedirect:
    messages.success(request, message)
    return redirect("my-keys")


@require_safe
def my_usage_csv(request: HttpRequest) -> HttpResponseBase:
    """Own requests of the last `days`, as they are read from the database."""
    days, most = request.GET.get("days", str(USAGE_DAYS)), settings.CONFIG.retention.usage_days
    if (num_days := reports.num_days(days, most)) is None:
        text = f"days: {days!r} is not a number from 1 to {most}."
        return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")
    start = reports.start_of(num_days)
    records = UsageRecord.objects.filter(user=person(request), at__gte=start)
    audit.record("usage.exported", after={"days": num_days})
    lines = reports.csv_rows(records, USAGE_COLUMNS)
    return download(lines, "llmsite-usage.csv", "text/csv; charset=utf-8")
