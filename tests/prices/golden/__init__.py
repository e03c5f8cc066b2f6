"""Golden costs: what calls cost by the providers' own price pages, worked out by hand."""
