"""The SDK: what a program says to spend within its limits. Load it as `import budget`.

Not here: the books themselves (`engine`), nor the client of a service (`client`).
"""
