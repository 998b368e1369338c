"""What an ASGI server runs: HTTP to Django. Sockets come with the chat."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmsite.settings")

application = ProtocolTypeRouter({"http": get_asgi_application()})
