"""Fake providers: what OpenAI, Anthropic and Google answer, free of charge."""
