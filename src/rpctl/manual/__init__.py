"""What rpctl tells about itself beside the help of its commands: blocks (what a text consists of), prose (texts that
no table of the program holds), endings (the errors as a user meets them), topics (the texts of `rpctl help TOPIC`,
from both), plain (a text as lines for a terminal).

Every text stands here once: the man pages are made of the same blocks. No other command loads this room.
"""
