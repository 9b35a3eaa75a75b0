//! Strip functions: `cargo bench -p mlc-kernels --bench strip [-- FILTER]`.
//!
//! Strips of 1024 numbers, which stay in the first cache, as generated code uses them; the lower lines are numbers a second.

use divan::{Bencher, black_box, counter::ItemsCount};
use mlc_kernels::Isa;
use mlc_kernels::abi::{Ctx, Strip1Fn, Strip2Fn};
use mlc_kernels::{rng, rng::mlc_uniform, strip::*};
use std::fmt;

const N: usize = 1024;

/// A function and its name.
struct Of<F>(&'static str, F);

impl<F> fmt::Display for Of<F> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.0)
    }
}

const ONE: [Of<Strip1Fn>; 11] = [
    Of("exp", mlc_exp),
    Of("expm1", mlc_expm1),
    Of("log", mlc_log),
    Of("log1p", mlc_log1p),
    Of("tanh", mlc_tanh),
    Of("sigmoid", mlc_sigmoid),
    Of("erf", mlc_erf),
    Of("sin", mlc_sin),
    Of("cos", mlc_cos),
    Of("sqrt", mlc_sqrt),
    Of("rsqrt", mlc_rsqrt),
];
const TWO: [Of<Strip2Fn>; 2] = [Of("div", mlc_div), Of("pow", mlc_pow)];

fn main() {
    println!("{}, strips of {N}", Isa::current());
    divan::main();
}

/// Numbers in [0, 1), the same each time.
fn numbers(key: u32) -> Vec<f32> {
    let mut numbers = vec![0.0; N];
    rng::fill([key, key + 1], 0, 0, &mut numbers);
    numbers
}

#[divan::bench(args = ONE)]
fn of_one(bencher: Bencher, Of(_, function): &Of<Strip1Fn>) {
    let (x, mut out) = (numbers(1), vec![0.0; N]);
    // SAFETY: both vectors have N numbers.
    bencher.counter(ItemsCount::new(N)).bench_local(|| unsafe { function(N, x.as_ptr(), out.as_mut_ptr()) });
}

#[divan::bench(args = TWO)]
fn of_two(bencher: Bencher, Of(_, function): &Of<Strip2Fn>) {
    let (x, y, mut out) = (numbers(1), numbers(3), vec![0.0; N]);
    let bencher = bencher.counter(ItemsCount::new(N));
    // SAFETY: all vectors have N numbers.
    bencher.bench_local(|| unsafe { function(N, x.as_ptr(), y.as_ptr(), out.as_mut_ptr()) });
}

#[divan::bench]
fn uniform(bencher: Bencher) {
    let ctx = Ctx {
        buffers: std::ptr::null(),
        seed: 0,
        step: 1,
        team: std::ptr::null(),
        workspace: std::ptr::null_mut(),
    };
    let mut out = vec![0.0; N];
    // SAFETY: the vector has N numbers; of the context the seed and the step alone are read.
    bencher
        .counter(ItemsCount::new(N))
        .bench_local(|| unsafe { mlc_uniform(&ctx, 1, 2, 0, N, out.as_mut_ptr()) });
}

#[divan::bench]
fn sum(bencher: Bencher) {
    let x = numbers(1);
    // SAFETY: the vector has N numbers.
    bencher.counter(ItemsCount::new(N)).bench_local(|| black_box(unsafe { mlc_sum(N, x.as_ptr()) }));
}

#[divan::bench]
fn max(bencher: Bencher) {
    let x = numbers(1);
    // SAFETY: the vector has N numbers.
    bencher.counter(ItemsCount::new(N)).bench_local(|| black_box(unsafe { mlc_max(N, x.as_ptr()) }));
}
