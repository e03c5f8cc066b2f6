"""Floor 1: what a model's units cost, as integer rates with a basis."""
