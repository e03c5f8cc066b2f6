"""Floor 1: schema, migrations, the unit of work of a batch, and the cold queries."""
