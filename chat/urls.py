from django.urls import path

from .pages import files_urls
from .views import HomeView

urlpatterns = [path("", HomeView.as_view(), name="home"), *files_urls.urlpatterns]
