"""Formats: how each kind of provider spells requests, answers, streams and errors."""
