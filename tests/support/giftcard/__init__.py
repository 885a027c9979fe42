"""A second workflow in a folder of its own: importing this package puts it where it is found.

What is declared is the process's, so only a process of its own may import it, before all else.
"""

from pathlib import Path

import agents
import tables
import workflows
from app import entrypoints

HERE = Path(__file__).parent
for package in (workflows, tables, agents, entrypoints):
    # Before the others: what takes the first workflow for the only one does not pass.
    package.__path__.insert(0, str(HERE / package.__name__.rpartition(".")[2]))
