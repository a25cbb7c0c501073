"""One script for each layout. A script that was released is not changed; a better layout is a new one."""
