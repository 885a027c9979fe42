"""`payflow` for a house that has the test room: `python -m tests.integration.redriver dead ls`."""

from app.cli.main import main
from app.delivery.agent import opened
from tests.shell.rooms import ANSWERS

opened[ANSWERS.name] = ANSWERS

if __name__ == "__main__":
    main()
