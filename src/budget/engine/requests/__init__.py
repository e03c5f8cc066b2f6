"""Requests for top-ups: asked for by those who spend, decided by those who manage."""
