"""OpenAI's paths under /v1, and the older service's without a version."""

from django.urls import path, re_path

from . import embeddings, health, legacy, prometheus, usage, views

urlpatterns = [
    path("v1/chat/completions", views.ChatCompletionsView.as_view(), name="chat-completions"),
    path("v1/completions", views.CompletionsView.as_view(), name="completions"),
    path("v1/embeddings", embeddings.EmbeddingsView.as_view(), name="embeddings"),
    path("v1/rerank", embeddings.RerankView.as_view(), name="rerank"),
    path("v1/usage", usage.UsageView.as_view(), name="usage"),
    path("v1/models", views.ModelsView.as_view(), name="models"),
    path("v1/models/<path:name>", views.ModelView.as_view(), name="model"),
    re_path(r"^v1/.*", views.UnknownPathView.as_view()),
    path("completions", legacy.LegacyCompletionsView.as_view(), name="legacy-completions"),
    path("models", legacy.LegacyModelsView.as_view(), name="legacy-models"),
    path("models/<path:name>", legacy.LegacyModelView.as_view(), name="legacy-model"),
    path("health", health.HealthView.as_view(), name="health"),
    path("readiness", health.ReadinessView.as_view(), name="readiness"),
    path("metrics", prometheus.MetricsView.as_view(), name="metrics"),
]
