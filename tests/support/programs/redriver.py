"""`payflow` for an instance that has the test agent, such as `dead ls`."""

from app.cli.main import main
from app.delivery.agent import registered
from tests.support.agents import ANSWERS

registered[ANSWERS.name] = ANSWERS

if __name__ == "__main__":
    main()
