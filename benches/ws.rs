//! What a frame costs: its header, its mask, its text, the whole of it, and compression.

use std::hint::black_box;

use chinwag::ws::{
    CompressPolicy, Compressor, Decoder, FrameHeader, Inflater, Item, MaskKey, Opcode, Role,
    Settings, Shared, WindowBits, encode, encode_text_header, mask,
};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const KEY: MaskKey = [0x37, 0xfa, 0x21, 0x3d];
const CHAT: &str = r#"{"ev":"message","room":"lobby","seq":122,"from":"bob","at":1763700002001,"text":"see you at seven, I bring the cake"}"#;

/// Chat in ASCII of `len` bytes.
fn chat(len: usize) -> Vec<u8> {
    CHAT.bytes().cycle().take(len).collect()
}

fn throughput(len: usize) -> Throughput {
    Throughput::Bytes(u64::try_from(len).unwrap_or(u64::MAX))
}

fn bench_header(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ws/header");
    for payload_len in [100, 1000, 100_000] {
        let header = FrameHeader { mask: Some(KEY), ..FrameHeader::new(Opcode::Text, payload_len) };
        let encoded = header.encode();
        group.bench_function(BenchmarkId::new("decode", payload_len), |bencher| {
            bencher.iter(|| FrameHeader::decode(black_box(&encoded), Role::Server, true));
        });
    }
    group.bench_function("encode_text_header/200", |bencher| {
        bencher.iter(|| encode_text_header(black_box(200)));
    });
    group.finish();
}

fn bench_mask(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ws/mask");
    for len in [16, 125, 1024, 65_536] {
        let mut payload = chat(len);
        group.throughput(throughput(len));
        group.bench_function(BenchmarkId::from_parameter(len), |bencher| {
            bencher.iter(|| mask(black_box(&mut payload), KEY, black_box(0)));
        });
    }
    group.finish();
}

/// A text message in one unmasked frame: header and UTF-8, without the mask.
fn bench_utf8(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ws/utf8");
    let settings = Settings::new(Role::Client, 1 << 20);
    for (name, text) in [("ascii", "hello, world. "), ("mixed", "h\u{e9}llo \u{4e16}\u{754c} ")] {
        for repeat in [10, 4000] {
            let text = text.repeat(repeat);
            let mut input = Vec::new();
            encode(Opcode::Text, text.as_bytes(), None, &mut input);
            let (mut decoder, mut shared) = (Decoder::new(None), Shared::default());
            group.throughput(throughput(text.len()));
            group.bench_function(BenchmarkId::new(name, text.len()), |bencher| {
                bencher.iter(|| {
                    decode_all(&mut decoder, black_box(&mut input), &settings, &mut shared)
                });
            });
        }
    }
    group.finish();
}

/// Decodes all of `input` and returns the bytes of payload in it.
fn decode_all(
    decoder: &mut Decoder,
    mut input: &mut [u8],
    settings: &Settings,
    shared: &mut Shared,
) -> usize {
    let mut len = 0;
    while let Ok(Some(item)) = decoder.decode(&mut input, settings, shared) {
        len += match item {
            Item::Text(text) => text.len(),
            _ => 0,
        };
    }
    len
}

/// Masked frames as a server receives them: one alone, and a scratch buffer full, in pieces as
/// well.
fn bench_decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ws/decode");
    let settings = Settings::new(Role::Server, 1 << 20);
    for (payload_len, frames, piece_len) in [
        (120, 1, usize::MAX),
        (120, 500, usize::MAX),
        (120, 500, 1460),
        (16_000, 1, usize::MAX),
        (16_000, 1, 1460),
    ] {
        let mut one = Vec::new();
        encode(Opcode::Text, &chat(payload_len), Some(KEY), &mut one);
        let input = one.repeat(frames);
        let (mut decoder, mut shared) = (Decoder::new(None), Shared::default());
        group.throughput(throughput(input.len()));
        let pieces = if piece_len == usize::MAX { "whole" } else { "pieces of 1460" };
        let name = format!("{frames} x {payload_len} bytes, {pieces}");
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || input.clone(),
                |input| {
                    let pieces = input.chunks_mut(piece_len);
                    pieces
                        .map(|piece| decode_all(&mut decoder, piece, &settings, &mut shared))
                        .sum::<usize>()
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn bench_deflate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ws/deflate");
    let mut compressor = Compressor::new(CompressPolicy::WherePays { len_min: 0 });
    let mut inflater = Inflater::default();
    for len in [512, 4096] {
        let payload = chat(len);
        group.throughput(throughput(len));
        for bits in [WindowBits::Nine, WindowBits::Fifteen] {
            let name = format!("compress/{} bits", bits.as_u8());
            group.bench_function(BenchmarkId::new(name, len), |bencher| {
                bencher
                    .iter(|| compressor.compress(black_box(&payload), bits).map_or(0, <[u8]>::len));
            });
        }
        let Some(compressed) = compressor.compress(&payload, WindowBits::Fifteen) else {
            continue;
        };
        let compressed = compressed.to_vec();
        group.bench_function(BenchmarkId::new("inflate", len), |bencher| {
            bencher.iter(|| inflater.inflate(black_box(&compressed), len).map_or(0, <[u8]>::len));
        });
    }
    group.finish();
}

criterion_group!(benches, bench_header, bench_mask, bench_utf8, bench_decode, bench_deflate);
criterion_main!(benches);
