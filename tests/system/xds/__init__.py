"""Scenarios of xDS: what control planes serve, who is called by it, and what is expected."""
