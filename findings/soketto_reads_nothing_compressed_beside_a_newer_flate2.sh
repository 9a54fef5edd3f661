#!/usr/bin/env bash
# Guess:   a new patch version of a library that mends the end of streams that are cut short changes nothing for who gives it
#          whole messages.
# Truth:   a compressed WebSocket message never ends its stream: RFC 7692 cuts off the last bytes of a flush, and who reads
#          adds them and goes on (7.2.2). soketto reads one by flate2's `write::DeflateDecoder` and its `finish()`, which
#          until 1.1.10 took the end of the input for the end. From 1.1.11 on that is "incomplete deflate stream": also the
#          RFC's own "Hello" fails, and the first compressed message ends the connection. `cargo update` gets one there.
# Version: soketto 0.8.1 with flate2 1.1.10 and 1.1.11 (crates.io). Source: `decode` in src/extension/deflate.rs of soketto;
#          `REQUIRES_STREAM_END` in src/zio.rs of flate2.
# So:      a program with soketto's `deflate` holds flate2 at "=1.1.10", and a codec for such messages uses `Decompress`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "find"
version = "0.0.0"
edition = "2021"

[dependencies]
soketto = { version = "=0.8.1", features = ["deflate"] }
flate2 = "=FLATE2"
TOML

cat >src/main.rs <<'RUST'
use soketto::base::{Header, OpCode};
use soketto::extension::{deflate::Deflate, Extension};
use soketto::Mode;

fn main() {
    let mut deflate = Deflate::new(Mode::Client);
    deflate.configure(&[]).expect("an answer without parameters is taken");
    let mut header = Header::new(OpCode::Text);
    header.set_fin(true).set_rsv1(true);
    // RFC 7692, 7.2.3.1.
    let mut data = b"\xf2\x48\xcd\xc9\xc9\x07\x00".to_vec();
    match deflate.decode(&mut header, &mut data) {
        Ok(()) => println!("{}", String::from_utf8_lossy(&data)),
        Err(error) => println!("an error: {error}"),
    }
}
RUST

check() {
  local version=$1 expected=$2 found
  sed -i "s/^flate2 = .*/flate2 = \"=$version\"/" Cargo.toml
  found=$(timeout 500 cargo run --quiet)
  echo "flate2 $version: $found"
  [ "$found" = "$expected" ] || { echo "it is another matter now"; exit 1; }
}
check 1.1.10 "Hello"
check 1.1.11 "an error: incomplete deflate stream"
echo "as found: soketto 0.8.1 reads no compressed message beside flate2 1.1.11"
