"""OpenAI's paths under /v1, and the older service's without a version."""

from django.urls import path, re_path, register_converter
from django.urls.converters import StringConverter

from . import embeddings, health, legacy, prometheus, receipts, registry, tokens, usage, views
from .anthropic.views import CountTokensView, MessagesView
from .openapi.views import SchemaView


class AnyText(StringConverter):
    """Whatever comes, slashes and ends of lines too, which Django's `path` stops at."""

    regex = r"[\s\S]+"


register_converter(AnyText, "any")

urlpatterns = [
    path("v1/chat/completions", views.ChatCompletionsView.as_view(), name="chat-completions"),
    path("v1/completions", views.CompletionsView.as_view(), name="completions"),
    path(
        "v1/chat/completions/input_tokens",
        tokens.InputTokensView.as_view(),
        name="chat-input-tokens",
    ),
    path("v1/messages", MessagesView.as_view(), name="messages"),
    path("v1/messages/count_tokens", CountTokensView.as_view(), name="count-tokens"),
    path("v1/tokenize", tokens.TokenizeView.as_view(), name="tokenize"),
    path("v1/detokenize", tokens.DetokenizeView.as_view(), name="detokenize"),
    path("v1/apply-template", tokens.TemplateView.as_view(), name="apply-template"),
    path("v1/embeddings", embeddings.EmbeddingsView.as_view(), name="embeddings"),
    path("v1/rerank", embeddings.RerankView.as_view(), name="rerank"),
    path("v1/receipts/<uuid:receipt>", receipts.ReceiptView.as_view(), name="receipt"),
    path("v1/usage", usage.UsageView.as_view(), name="usage"),
    path("v1/models", views.ModelsView.as_view(), name="models"),
    path("v1/models/<any:name>", views.ModelView.as_view(), name="model"),
    path("v1/admin/models", registry.ModelsView.as_view(), name="admin-models"),
    path("v1/admin/models/<str:slug>", registry.ModelView.as_view(), name="admin-model"),
    path("v1/admin/models/<str:slug>/fetch", registry.FetchView.as_view(), name="admin-fetch"),
    path("v1/admin/models/<str:slug>/load", registry.LoadView.as_view(), name="admin-load"),
    path("v1/admin/models/<str:slug>/unload", registry.UnloadView.as_view(), name="admin-unload"),
    path("v1/admin/models/<str:slug>/events", registry.EventsView.as_view(), name="admin-events"),
    re_path(r"^v1/.*", views.UnknownPathView.as_view()),
    path("completions", legacy.LegacyCompletionsView.as_view(), name="legacy-completions"),
    path("models", legacy.LegacyModelsView.as_view(), name="legacy-models"),
    path("models/<any:name>", legacy.LegacyModelView.as_view(), name="legacy-model"),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("health", health.HealthView.as_view(), name="health"),
    path("readiness", health.ReadinessView.as_view(), name="readiness"),
    path("metrics", prometheus.MetricsView.as_view(), name="metrics"),
]
