"""Reading: answers in JSON as the values of the domain, the inverse of `domain.wire`.

One file for each file there, one function for each shape. What a newer service tells beside is left
away. Not here: problems (`client.judging`), bytes.
"""
