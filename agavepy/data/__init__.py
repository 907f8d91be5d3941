"""Files that agavepy ships."""
