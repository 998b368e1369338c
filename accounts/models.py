"""Who is asking."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person. Ours from the first migration on, since it cannot be swapped later."""
