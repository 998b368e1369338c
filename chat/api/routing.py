"""Where the older dialect's socket is."""

from django.urls import path

from .consumers import OlderConsumer

sockets = [path("chat/ws", OlderConsumer.as_asgi())]
