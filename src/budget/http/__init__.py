"""Floor 4: REST, problems and the route table, over the engine."""
