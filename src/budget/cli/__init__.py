"""The command `budget`: one file per command group, each thin, over the library or a service."""
