"""Figures of speed, each a ratio against plain requests in the same run; ``tox -e bench`` prints the table."""
