"""Floor 0: meanings and rules; standard library only, pure, no I/O, no clock, no float."""
