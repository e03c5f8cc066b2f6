"""MCP: Budget as tools, resources and prompts for models. What they share is the table `tools`."""
