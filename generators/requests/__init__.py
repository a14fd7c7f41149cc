"""Requests made by their declaration: calls, fresh names, words, items and bodies, for laws and for campaigns."""
