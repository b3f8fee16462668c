"""The bugs that the simulator must find, layer by layer (README.md)."""

from core import CORE
from node import NODE
from past import PAST
from storage import STORAGE
from transactions import TRANSACTIONS

MUTANTS = [*CORE, *NODE, *STORAGE, *TRANSACTIONS, *PAST]
