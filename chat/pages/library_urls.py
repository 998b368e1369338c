"""Paths of what is done with conversations besides talking."""

from django.urls import path

from . import changes, exchange, folders, library, presets, sharing

urlpatterns = [
    path("c/list/<slug:place>/", library.listing, name="conversations"),
    path("c/search/", library.found, name="chat-search"),
    path("c/<uuid:uid>/at/<uuid:message>/", library.at_message, name="conversation-at"),
    path("c/<uuid:uid>/menu/", changes.menu, name="conversation-menu"),
    path("c/<uuid:uid>/title/", changes.rename, name="conversation-title"),
    path("c/<uuid:uid>/pin/", changes.pin, name="conversation-pin"),
    path("c/<uuid:uid>/move/", changes.move, name="conversation-move"),
    path("c/<uuid:uid>/archive/", changes.archive, name="conversation-archive"),
    path("c/<uuid:uid>/unarchive/", changes.unarchive, name="conversation-unarchive"),
    path("c/<uuid:uid>/delete/", changes.delete, name="conversation-delete"),
    path("c/<uuid:uid>/restore/", changes.restore, name="conversation-restore"),
    path("c/<uuid:uid>/share/", sharing.share_conversation, name="share"),
    path("c/shared/", sharing.shared_links, name="shared-links"),
    path("c/shared/<int:pk>/revoke/", sharing.revoke_link, name="share-revoke"),
    path("s/<slug:token>/", sharing.shared, name="shared"),
    path("c/<uuid:uid>/export.json", exchange.export_json, name="export-json"),
    path("c/<uuid:uid>/export.md", exchange.export_markdown, name="export-markdown"),
    path("c/export.json", exchange.export_all, name="export-all"),
    path("c/import/", exchange.import_page, name="import"),
    path("c/folders/", folders.folders, name="folders"),
    path("c/folders/<int:pk>/rename/", folders.rename, name="folder-rename"),
    path("c/folders/<int:pk>/delete/", folders.delete, name="folder-delete"),
    path("c/presets/", presets.presets, name="presets"),
    path("c/presets/<int:pk>/use/", presets.use, name="preset-use"),
    path("c/presets/<int:pk>/rename/", presets.rename, name="preset-rename"),
    path("c/presets/<int:pk>/delete/", presets.delete, name="preset-delete"),
    path("c/<uuid:uid>/preset/", presets.keep, name="preset-keep"),
]
