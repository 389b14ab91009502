#!/bin/sh
# Cargo's wrapper around the compiler for Fiel's own crates: adds the fuzzer's instrumentation where a crate is compiled.
case " $* " in
*" --crate-name "*) exec "$@" $FIEL_FUZZ_FLAGS ;;
*) exec "$@" ;;
esac
