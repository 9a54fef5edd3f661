#!/bin/sh
# C's libwebsockets: compiles the program beside it and runs that. See ../others.py for what it does.
program=$(mktemp)
trap 'rm -f "$program"' EXIT
cc -Wall -Werror -o "$program" "${0%.sh}.c" -lwebsockets && "$program" "$@"
