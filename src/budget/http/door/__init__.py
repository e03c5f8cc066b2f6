"""The door of the service: who comes in, by key or by cookie, how often, and how people log in."""
