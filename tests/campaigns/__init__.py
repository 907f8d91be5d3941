"""What only many processes, and much of chance, can show; in full with AGAVEPY_CAMPAIGN=full."""
