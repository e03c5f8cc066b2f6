"""Floor 4: the `budget` command, one file per command group."""
