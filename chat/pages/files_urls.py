from django.urls import path

from . import files

urlpatterns = [
    path("attachments/", files.attachments, name="attachments"),
    path("attachments/<uuid:uid>/", files.attachment, name="attachment"),
]
