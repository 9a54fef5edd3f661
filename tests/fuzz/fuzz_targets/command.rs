//! See the module of this name.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| chinwag_fuzz::command::run(input));
