"""People, what they may and what they did, in the administration."""

from . import audit, groups, keys, policies, prompts, second_factors, usage, users

__all__ = ["audit", "groups", "keys", "policies", "prompts", "second_factors", "usage", "users"]
