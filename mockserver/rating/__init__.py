"""A campaign rates itself: it is set on sandboxes with one planted bug each, and on a healthy one."""

from mockserver.rating.counting import counting, left_out
from mockserver.rating.results import Rating
from mockserver.rating.running import Plan, begun, is_among, rate

__all__ = ["Plan", "Rating", "begun", "counting", "is_among", "left_out", "rate"]
