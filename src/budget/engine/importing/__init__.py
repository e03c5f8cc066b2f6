"""Importing: usage that others recorded, read from their files and booked like any other."""
