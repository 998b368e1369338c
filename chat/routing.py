"""Where the chat's socket is."""

from django.urls import path

from .consumers import ChatConsumer

sockets = [path("ws/chat/", ChatConsumer.as_asgi())]
