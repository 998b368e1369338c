"""The registry in the admin: add, fetch, load and unload models."""

from typing import Any

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from inference import operating, registry, runtime
from inference.models import Alias, LanguageModel, Task
from inference.registry import NotFetched, RegistryError
from inference.sources import SourceError

FROM_FILE = (
    *("file", "size_bytes", "architecture", "file_task", "parameters", "quantization"),
    "trained_context",
    "template",
)
PROJECTOR_FILE = ("projector_file", "projector_size_bytes")


class LanguageModelForm(forms.ModelForm):
    """The source may be a path on this server, and the id may be left to us."""

    class Meta:
        model = LanguageModel
        exclude: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["slug"].required = False
        self.fields["slug"].help_text += " Empty: made from the file's name."
        self.fields["source"].help_text += " Or the path of a file on this server."
        self.fields["projector"].help_text += " Or the path of a file on this server."
        self.fields["sha256"].help_text = "Optional: what the file must have. Filled in otherwise."

    def clean_source(self) -> str:
        return self._uri("source")

    def clean_projector(self) -> str:
        return self._uri("projector")

    def _uri(self, field: str) -> str:
        source: str = self.cleaned_data[field]
        if not source:
            return source
        try:
            return registry.source_uri(source)
        except SourceError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any] | None:
        data = super().clean() or {}
        if not data.get("slug") and data.get("source"):
            try:
                data["slug"] = self.instance.slug = registry.free_slug(data["source"])
            except RegistryError as error:
                raise forms.ValidationError({"slug": str(error)}) from None
        return data

    def full_clean(self) -> None:
        """What the files say comes after what the row says, on the row as it will be."""
        super().full_clean()
        if self.is_bound and not self.errors:
            try:
                registry.check_draft(self.instance)
            except forms.ValidationError as error:
                self.add_error(None, error)


class AliasInline(TabularInline):
    model = Alias
    extra = 0


@admin.register(LanguageModel)
class LanguageModelAdmin(ModelAdmin):
    form = LanguageModelForm
    inlines = [AliasInline]
    list_display = [
        *("slug", "name", "state", "serves", "quantization", "size", "context", "has_template"),
        *("enabled", "pinned"),
    ]
    list_filter = ["enabled", "pinned", "architecture"]
    search_fields = ["slug", "name", "source", "aliases__name"]
    actions = ["fetch", "load", "unload"]
    readonly_fields = [*FROM_FILE, *PROJECTOR_FILE, "state_text"]
    fieldsets = [
        (None, {"fields": ["source", "slug", "name", "state_text", "task", "enabled", "pinned"]}),
        ("Images", {"fields": ["projector", "projector_sha256", *PROJECTOR_FILE]}),
        ("LoRA adapter", {"fields": ["base", "adapter_scale"]}),
        ("Speculation", {"fields": ["draft"]}),
        (
            "Placement",
            {
                "fields": [
                    *("device", "gpu_layers", "split_mode", "tensor_split", "main_gpu"),
                    *("flash_attention", "kv_cache_type", "threads"),
                ]
            },
        ),
        ("Conversations", {"fields": ["system_prompt", "context_policy"]}),
        (
            "Limits",
            {
                "fields": [
                    *("context_length", "max_sequences"),
                    *("batch_tokens", "prefill_chunk_tokens", "idle_timeout_seconds"),
                ]
            },
        ),
        ("From the file", {"fields": [*FROM_FILE, "sha256", "licence"]}),
    ]

    # Columns

    @display(
        description="State",
        label={
            "ready": "success",
            "loading": "info",
            "fetching": "info",
            "not fetched": "warning",
            "leaving": "warning",
            "crashed": "danger",
            "fetch failed": "danger",
        },
    )
    def state(self, row: LanguageModel) -> tuple[str, str]:
        state = operating.state_of(row)
        return state.kind, state.text

    @display(description="State")
    def state_text(self, row: LanguageModel) -> str:
        return operating.state_of(row).text

    @display(description="Task")
    def serves(self, row: LanguageModel) -> str:
        return Task(row.serves).label

    @display(description="Size", ordering="size_bytes")
    def size(self, row: LanguageModel) -> str:
        return "" if row.size_bytes is None else filesizeformat(row.size_bytes)

    @display(description="Context")
    def context(self, row: LanguageModel) -> int | None:
        origin = row.origin
        engine = runtime.status().get(origin.slug)
        loaded = engine.context_length if engine else 0
        return loaded or origin.context_length or origin.trained_context

    @display(description="Template", boolean=True)
    def has_template(self, row: LanguageModel) -> bool:
        """Without one, chats use ChatML, which may not suit the model."""
        return bool(row.origin.chat_template)

    @display(description="Chat template")
    def template(self, row: LanguageModel) -> str:
        if not row.file or row.adapter or row.serves != Task.GENERATE:
            return row.origin.chat_template
        return row.chat_template or "The file has none: chats use ChatML, which may not suit it."

    # Actions

    @admin.action(description="Fetch the file", permissions=["change"])
    def fetch(self, request: HttpRequest, rows: QuerySet[LanguageModel]) -> None:
        for row in rows:
            self._fetch(request, row)

    @admin.action(description="Load into memory", permissions=["change"])
    def load(self, request: HttpRequest, rows: QuerySet[LanguageModel]) -> None:
        for row in rows:
            try:
                operating.load(row)
            except NotFetched as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, f"{row} is being loaded.")

    @admin.action(description="Unload when its answers are complete", permissions=["change"])
    def unload(self, request: HttpRequest, rows: QuerySet[LanguageModel]) -> None:
        for row in rows:
            if operating.unload(row):
                self.message_user(request, f"{row} is being unloaded.")
            else:
                self.message_user(request, f"{row} is not loaded.", messages.WARNING)

    def save_model(self, request: HttpRequest, obj: LanguageModel, form: Any, change: bool) -> None:
        """A new source makes the old file's facts untrue: they go, and the new file comes."""
        if "source" in form.changed_data:
            operating.new_source(obj, keeps_hash="sha256" in form.changed_data)
        if "projector" in form.changed_data:
            operating.new_projector(obj, keeps_hash="projector_sha256" in form.changed_data)
        super().save_model(request, obj, form, change)
        async_to_sync(runtime.heed)(obj, form.initial.get("slug") or obj.slug)
        if operating.lacks_file(obj) and obj.enabled:
            self._fetch(request, obj)
        elif obj.file and obj.serves == Task.GENERATE and not obj.origin.chat_template:
            self.message_user(
                request, f"{obj} has no chat template: chats use ChatML.", messages.WARNING
            )

    def delete_model(self, request: HttpRequest, obj: LanguageModel) -> None:
        operating.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[LanguageModel]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def _fetch(self, request: HttpRequest, row: LanguageModel) -> None:
        if operating.start_fetching(row):
            self.message_user(request, f"{row} is being fetched; the list shows how far it is.")
        else:
            self.message_user(request, f"{row} is being fetched already.", messages.WARNING)
