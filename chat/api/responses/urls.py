"""OpenAI's paths below /v1/responses."""

from django.urls import path

from .views import CancelView, InputItemsView, ResponsesView, ResponseView

urlpatterns = [
    path("v1/responses", ResponsesView.as_view(), name="responses"),
    path("v1/responses/<str:response_id>", ResponseView.as_view(), name="response"),
    path("v1/responses/<str:response_id>/cancel", CancelView.as_view(), name="response-cancel"),
    path(
        "v1/responses/<str:response_id>/input_items",
        InputItemsView.as_view(),
        name="response-input-items",
    ),
]
