"""Mistakes of a deployment, found by `manage.py check`."""
