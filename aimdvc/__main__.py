"""`python -m aimdvc` is the command `aimdvc`."""

from aimdvc.cli.main import main

if __name__ == "__main__":
    main()
