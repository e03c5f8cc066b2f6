"""Tekton's components as servers on this machine, faithful also in how they fail."""
