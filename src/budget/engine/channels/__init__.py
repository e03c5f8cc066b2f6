"""Channels: what people and programs are told of the journal, by webhook, e-mail and chat."""
