"""Conversations as files: out of this service, and into it from here and elsewhere."""
