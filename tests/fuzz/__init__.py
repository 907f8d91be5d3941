"""Schemathesis against a real tenant, in a tox environment of its own: ``tox -e fuzz``."""
