"""Campaigns: bulk fuzzing against any implementation, findings made small and kept, replayed in three forms."""
