"""Strangers' files are read apart: few at once, in processes that a hostile file may ruin."""
