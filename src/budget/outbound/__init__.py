"""Going out: what Budget asks of other machines, and how it is kept from asking the wrong ones."""
