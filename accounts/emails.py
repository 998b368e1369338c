"""A person has one email address. The list that allauth keeps beside it follows."""

from typing import Any

from allauth.account.models import EmailAddress
from django.db.models.signals import post_save
from django.dispatch import receiver

from .models import User


@receiver(post_save, sender=User)
def forget_former_addresses(instance: User, **_: Any) -> None:
    """Or whoever reads a former address could have the password reset."""
    EmailAddress.objects.filter(user=instance).exclude(email__iexact=instance.email).delete()
