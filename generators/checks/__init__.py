"""Laws of bulk semantics and checks of replies, for any implementation of a contract."""
