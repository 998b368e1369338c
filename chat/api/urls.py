"""Where programs find conversations: as responses, and as the older dialect's sessions."""

from django.urls import include, path

from .completions import ChatView
from .history import HistoryView, RollbackView, SessionsView

urlpatterns = [
    path("", include("chat.api.responses.urls")),
    path("chat/completions", ChatView.as_view(), name="legacy-chat"),
    path("sessions", SessionsView.as_view(), name="sessions"),
    path("chat/history/<str:session_id>", HistoryView.as_view(), name="history"),
    path("chat/history/<str:session_id>/rollback", RollbackView.as_view(), name="rollback"),
]
