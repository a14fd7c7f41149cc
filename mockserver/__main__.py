"""`python -m mockserver` is `bulkproof`."""

from mockserver.cli import main

if __name__ == "__main__":
    main(prog_name="bulkproof")
