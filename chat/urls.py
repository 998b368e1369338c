"""The pages of the chat."""

from django.urls import path

from .pages import chat, compare, connect, files_urls, library_urls, settings

conversations = [
    path("", chat.new_chat, name="chat"),
    path("c/<uuid:uid>/", chat.conversation, name="conversation"),
    path("c/<uuid:uid>/settings/", settings.conversation_settings, name="conversation-settings"),
    path("c/branch/", chat.show_branch, name="branch"),
    path("compare/", compare.compare, name="compare"),
    path("connect/", connect.connect, name="connect"),
]

urlpatterns = [*conversations, *files_urls.urlpatterns, *library_urls.urlpatterns]
