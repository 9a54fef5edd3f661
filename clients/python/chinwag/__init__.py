"""A typed asyncio client of the chat server Chinwag: see :class:`Client`."""

from .client import Client as Client
from .client import login as login
from .model import *
