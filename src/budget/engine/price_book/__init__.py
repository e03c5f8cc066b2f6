"""The price book of a database: its rows, what changes them, and the book that is made of them."""
