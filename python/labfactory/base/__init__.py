"""What every room stands on: errors, sources, checks, canonical bytes, identity."""
