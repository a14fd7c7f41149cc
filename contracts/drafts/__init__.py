"""Drafts of x-bulk for a document that has none."""
