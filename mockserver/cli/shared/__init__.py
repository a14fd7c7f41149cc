"""What several commands share: options, where output goes, the server a command talks to."""
