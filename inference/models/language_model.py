"""The registry: which models this service offers, and how each is run."""

from pathlib import Path
from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import (
    MaxLengthValidator,
    MaxValueValidator,
    MinValueValidator,
    RegexValidator,
)
from django.db import models
from django.db.models import Q

MAX_SYSTEM_PROMPT = 20_000  # characters

slug_validator = RegexValidator(
    r"^[a-zA-Z0-9][a-zA-Z0-9._:-]*\Z",
    "Use letters, digits, '.', '_', ':' and '-', and start with a letter or a digit.",
)
alias_validator = RegexValidator(
    r"^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*\Z",
    "Use letters, digits, '.', '_', ':', '/', '@' and '-', and start with a letter or a digit.",
)
tensor_split_validator = RegexValidator(
    r"^\d+(\.\d+)?(,\d+(\.\d+)?)*\Z", "Use numbers with commas between them, such as '3,1'."
)


class Device(models.TextChoices):
    AUTO = "auto", "Automatic"
    CUDA = "cuda", "CUDA"
    METAL = "metal", "Metal"
    CPU = "cpu", "CPU"


class SplitMode(models.TextChoices):
    NONE = "none", "One GPU"
    LAYER = "layer", "Layers over all GPUs"
    ROW = "row", "Rows over all GPUs"


class FlashAttention(models.TextChoices):
    AUTO = "auto", "Where the device has it"
    ON = "on", "On"
    OFF = "off", "Off"


class CacheType(models.TextChoices):
    """Of one number in the KV cache. A quantised V needs flash attention."""

    F16 = "f16"
    BF16 = "bf16"
    Q8_0 = "q8_0"
    Q4_0 = "q4_0"


class Task(models.TextChoices):
    """What requests may ask of a model."""

    GENERATE = "generate", "Write text"
    EMBED = "embed", "Make embeddings"
    RERANK = "rerank", "Rank documents"


class ContextPolicy(models.TextChoices):
    """What becomes of a conversation that leaves no room for an answer."""

    ERROR = "error", "Refuse the request"
    DROP_OLDEST = "drop_oldest", "Leave out the oldest turns"
    MIDDLE_OUT = "middle_out", "Keep the first turn and the newest"


class LanguageModelQuerySet(models.QuerySet["LanguageModel"]):
    def routable(self) -> Self:
        """What a request may name: enabled, and its file has been fetched."""
        return self.filter(enabled=True).exclude(file="")

    def generative(self) -> Self:
        """What writes text."""
        said = Q(task="", file_task__in=["", Task.GENERATE])
        return self.filter(said | Q(task=Task.GENERATE))

    def named(self, name: str) -> Self:
        """The model of that id or alias: one row or none. To put it in order, every request
        would pay.
        """
        return self.filter(Q(slug=name) | Q(aliases__name=name)).distinct().order_by()


class LanguageModelManager(models.Manager.from_queryset(LanguageModelQuerySet)):  # type: ignore[misc]
    """Rows come with those that their engine is told of: who serves them may not ask the
    database then.
    """

    def get_queryset(self) -> LanguageModelQuerySet:
        rows: LanguageModelQuerySet = super().get_queryset()
        return rows.select_related("draft", "base__draft")


class LanguageModel(models.Model):
    """One GGUF file, and the options of the engine that runs it.

    One with a `base` is a LoRA adapter: that model's engine runs it, with the options of
    that row. The columns under "From the file" are written when the file is registered.
    With a `projector`, a second file beside the first, the model reads images.
    """

    slug = models.CharField(
        "id",
        max_length=100,
        unique=True,
        validators=[slug_validator],
        help_text="What a request calls it.",
    )
    name = models.CharField(max_length=200, blank=True, help_text="What people call it.")
    source = models.CharField(
        max_length=1000,
        blank=True,
        help_text="hf://owner/repo/file[@rev], https://…, pypi://package==version/path or file:///…",
    )
    file = models.CharField(
        max_length=1000,
        blank=True,
        help_text="Path of the GGUF, relative to the models folder or absolute.",
    )
    base = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="adapters",
        help_text="The model that this file is a LoRA adapter for; empty: it is a model itself.",
    )
    adapter_scale = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(-100), MaxValueValidator(100)],
        help_text="Of an adapter: how much of it is added to the base; 1: as it was trained.",
    )
    projector = models.CharField(
        max_length=1000,
        blank=True,
        help_text="Where the projector (mmproj) of a model that reads images comes from: a source "
        "like that of the model; empty: it reads none.",
    )
    draft = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="drafted",
        verbose_name="draft model",
        help_text="A smaller model with the same vocabulary, loaded beside this one to guess what "
        "it will write: answers stay the same, and come sooner where many guesses are right.",
    )
    enabled = models.BooleanField(default=True, help_text="Off: requests for it get 404.")
    pinned = models.BooleanField(
        default=False,
        help_text="Loaded at start, restarted after a crash, never unloaded by itself.",
    )
    idle_timeout_seconds = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Unloaded after so long without a request; 0: never; empty: the server's.",
    )

    # From the file
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    size_bytes = models.BigIntegerField("size in bytes", null=True, blank=True)
    licence = models.CharField(max_length=100, blank=True)
    architecture = models.CharField(max_length=50, blank=True)
    file_task = models.CharField("task of the file", max_length=10, blank=True, choices=Task)
    parameters = models.BigIntegerField(null=True, blank=True)
    quantization = models.CharField(max_length=50, blank=True)
    trained_context = models.PositiveIntegerField(null=True, blank=True, help_text="In tokens.")
    chat_template = models.TextField(blank=True)

    projector_file = models.CharField(max_length=1000, blank=True)
    projector_sha256 = models.CharField("SHA-256 of the projector", max_length=64, blank=True)
    projector_size_bytes = models.BigIntegerField(
        "size of the projector in bytes", null=True, blank=True
    )

    # How it is run
    task = models.CharField(
        max_length=10,
        blank=True,
        choices=Task,
        help_text="What it is used for; empty: what its file is made for.",
    )
    device = models.CharField(max_length=10, choices=Device, default=Device.AUTO)
    gpu_layers = models.IntegerField(
        "GPU layers",
        default=-1,
        validators=[MinValueValidator(-1)],
        help_text="Layers that live on the GPU; -1: all.",
    )
    split_mode = models.CharField(max_length=10, choices=SplitMode, default=SplitMode.LAYER)
    tensor_split = models.CharField(
        max_length=200,
        blank=True,
        validators=[tensor_split_validator],
        help_text="Share of each GPU, such as '3,1'; empty: by free memory.",
    )
    main_gpu = models.PositiveIntegerField("main GPU", default=0)
    flash_attention = models.CharField(
        max_length=10, choices=FlashAttention, default=FlashAttention.AUTO
    )
    kv_cache_type = models.CharField(
        "KV cache type", max_length=10, choices=CacheType, default=CacheType.F16
    )
    threads = models.PositiveIntegerField(
        default=0, validators=[MaxValueValidator(512)], help_text="CPU threads; 0: all cores."
    )
    context_length = models.PositiveIntegerField(
        default=0,
        help_text="Most tokens of one request, prompt and answer; 0: the model's own, "
        "as far as memory allows.",
    )
    # No choice fits all: a program has to hear of what its model does not see, and often
    # shortens its prompts itself; a person who chats expects the conversation to go on.
    context_policy = models.CharField(
        max_length=20,
        blank=True,
        choices=ContextPolicy,
        help_text="What becomes of a conversation that leaves no room for an answer; empty: "
        "programs get an error, and chats lose their oldest turns.",
    )
    system_prompt = models.TextField(
        blank=True,
        validators=[MaxLengthValidator(MAX_SYSTEM_PROMPT)],
        help_text="Said to the model before conversations that have no system message of their "
        "own. It is the same for all, and computed once for all. Empty: an adapter's base's.",
    )
    max_sequences = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(256)],
        help_text="Requests computed at once; 0: the server's.",
    )
    batch_tokens = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(16384)],
        help_text="Most tokens of one step (one micro-batch); 0: by the device.",
    )
    prefill_chunk_tokens = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(16384)],
        help_text="Most prompt tokens of one step while other answers are being written; "
        "0: by the device. Smaller: steadier streams; larger: earlier first tokens.",
    )

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = LanguageModelManager()

    class Meta:
        ordering = ["slug"]
        verbose_name = "model"

    def __str__(self) -> str:
        return self.slug

    def clean(self) -> None:
        if Alias.objects.filter(name=self.slug).exists():
            raise ValidationError({"slug": f"{self.slug!r} is an alias of another model."})
        most = self.max_sequences or settings.CONFIG.models.max_concurrent_requests
        if self.batch_tokens and self.batch_tokens < most:
            raise ValidationError(
                {"batch_tokens": f"{self.batch_tokens} tokens are too few for {most} sequences."}
            )
        is_quantized = self.kv_cache_type in (CacheType.Q8_0, CacheType.Q4_0)
        if is_quantized and self.flash_attention == FlashAttention.OFF:
            raise ValidationError(
                {"flash_attention": f"A KV cache of {self.kv_cache_type} needs flash attention."}
            )
        if not self.source and not self.file:
            raise ValidationError({"source": "Give a source to fetch from, or a file."})
        if self.base and (problem := self._base_problem(self.base)):
            raise ValidationError({"base": problem})
        if self.draft and (problem := self._draft_problem(self.draft)):
            raise ValidationError({"draft": problem})
        if problems := self._drafting_problems():
            raise ValidationError(problems)

        if self.projector and (problem := self._projector_problem()):
            raise ValidationError({"projector": problem})

    def _projector_problem(self) -> str:
        if self.base_id is not None:
            return f"{self} is an adapter: it reads images where its base does."
        return "" if self.serves == Task.GENERATE else f"{self} writes no text."

    def _base_problem(self, base: "LanguageModel") -> str:
        if base.base_id is not None or base.pk == self.pk:
            return f"{base} is an adapter itself."
        if base.serves != Task.GENERATE:
            return f"{base} writes no text."
        if self.task:
            return f"{self} does what {base} does: leave the task empty."
        if self.pk and self.adapters.exists():
            return f"{self} has adapters of its own."
        return ""

    def _draft_problem(self, draft: "LanguageModel") -> str:
        if draft.pk == self.pk:
            return f"{self} cannot be its own draft model."
        if self.base:
            return f"{self} is computed with the draft model of {self.base}: leave it empty."
        if self.serves != Task.GENERATE:
            return f"{self} writes no text."
        if draft.base_id is not None:
            return f"{draft} is an adapter."
        if draft.serves != Task.GENERATE:
            return f"{draft} writes no text."
        if draft.draft_id is not None:
            return f"{draft} has a draft model itself."
        return ""

    def _drafting_problems(self) -> dict[str, str]:
        """Of one that is a draft model, by the column that is in the way."""
        in_the_way = {
            "base": self.base_id is not None,
            "draft": self.draft_id is not None,
            "task": self.serves != Task.GENERATE,
        }
        if not any(in_the_way.values()) or not self.pk:
            return {}
        users = ", ".join(map(str, self.drafted.all()))
        column = next(name for name, is_it in in_the_way.items() if is_it)
        return {column: f"{self} is the draft model of {users}."} if users else {}

    @property
    def path(self) -> Path | None:
        """Where the file is, or None while it has not been fetched."""
        return Path(settings.MODELS_DIR, self.file) if self.file else None

    @property
    def projector_path(self) -> Path | None:
        """Where the projector is, or None while there is none."""
        name = self.projector_file if self.projector else ""
        return Path(settings.MODELS_DIR, name) if name else None

    @property
    def reads_images(self) -> bool:
        return self.origin.projector_path is not None

    @property
    def serves(self) -> str:
        """What requests may ask of it, a Task."""
        origin = self.origin
        return origin.task or origin.file_task or Task.GENERATE

    @property
    def origin(self) -> "LanguageModel":
        """The row whose engine serves it: its base's, or itself."""
        return self.base or self

    @property
    def adapter(self) -> str:
        """What its engine calls the adapter; empty for one that is none.

        With its file and its scale: what was computed with others is of no use, be it kept
        in memory or on disk.
        """
        if self.base_id is None:
            return ""
        return f"{self.slug}@{self.sha256[:16]}*{self.adapter_scale}"

    @property
    def preamble(self) -> str:
        """The system message of conversations that bring none."""
        return self.system_prompt or self.origin.system_prompt

    @property
    def display_name(self) -> str:
        return self.name or self.slug


class Alias(models.Model):
    """Another name that requests may use, such as 'gpt-4o-mini'."""

    model = models.ForeignKey(LanguageModel, models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=200, unique=True, validators=[alias_validator])

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "aliases"

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if LanguageModel.objects.filter(slug=self.name).exists():
            raise ValidationError({"name": f"{self.name!r} is the id of a model."})
