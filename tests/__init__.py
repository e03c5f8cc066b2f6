"""The tests of Budget; the folders mirror `src/budget`."""
