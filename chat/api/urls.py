"""Where the older dialect chats, beside the socket."""

from django.urls import path

from .completions import ChatView
from .history import HistoryView, RollbackView, SessionsView

urlpatterns = [
    path("chat/completions", ChatView.as_view(), name="legacy-chat"),
    path("sessions", SessionsView.as_view(), name="sessions"),
    path("chat/history/<str:session_id>", HistoryView.as_view(), name="history"),
    path("chat/history/<str:session_id>/rollback", RollbackView.as_view(), name="rollback"),
]
