"""Neighbours: the other components that Budget lives among, one file or folder for each.

Each is off unless its setting says otherwise, and none of them can stop Budget from starting or
working. Not here: what Budget does by itself.
"""
