"""Floor 2: the acts of the ledger, and the facade `Budget`."""
