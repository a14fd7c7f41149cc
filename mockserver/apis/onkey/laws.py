"""How On Key's clients are judged, by laws that follow from its contract."""

from typing import Final

from mockserver.conduct.conflicts import re_read_after_conflict
from mockserver.conduct.law import Law
from mockserver.conduct.polling import polled_to_end
from mockserver.conduct.resending import no_unchanged_retry, resent_only_failed
from mockserver.conduct.stating import ordered_stated, right_content_type, stated_mode, unique_keys

LAWS: Final = (
    Law(id="unique-user-ids", says="Gives each record of a request its own userObjectId.", judge=unique_keys),
    Law(id="resent-only-failed", says="Sends only failed records again after PerRecord.", judge=resent_only_failed),
    Law(id="re-read-after-conflict", says="Reads a record after a version conflict.", judge=re_read_after_conflict),
    Law(id="no-unchanged-retry", says="Does not send an AllOrNone failure again unchanged.", judge=no_unchanged_retry),
    Law(id="stated-mode", says="States the mode in each bulk request.", judge=stated_mode),
    Law(id="right-content-type", says="Sends each body with the content type of its call.", judge=right_content_type),
    Law(id="polled-to-end", says="Polls each background task until it has ended.", judge=polled_to_end),
    Law(id="ordered-stated", says="Sends ordered=true where records have a groupOrder.", judge=ordered_stated),
)
