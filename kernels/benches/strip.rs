//! Strip functions in nanoseconds a number: `cargo bench -p mlc-kernels --bench strip`.
//!
//! Strips of 1024 numbers, which stay in the first cache, as generated code uses them.

use mlc_kernels::Isa;
use mlc_kernels::abi::{Ctx, Strip1Fn, Strip2Fn};
use mlc_kernels::{rng, strip::*};
use std::time::Instant;

const N: usize = 1024;

fn main() {
    println!("{}, strips of {N}: ns per number, best of many", Isa::current());
    let one: [(&str, Strip1Fn); 11] = [
        ("exp", mlc_exp),
        ("expm1", mlc_expm1),
        ("log", mlc_log),
        ("log1p", mlc_log1p),
        ("tanh", mlc_tanh),
        ("sigmoid", mlc_sigmoid),
        ("erf", mlc_erf),
        ("sin", mlc_sin),
        ("cos", mlc_cos),
        ("sqrt", mlc_sqrt),
        ("rsqrt", mlc_rsqrt),
    ];
    let two: [(&str, Strip2Fn); 2] = [("div", mlc_div), ("pow", mlc_pow)];
    let (mut x, mut y, mut z) = (vec![0f32; N], vec![0f32; N], vec![0f32; N]);
    rng::fill([1, 2], 0, 0, &mut x);
    rng::fill([3, 4], 0, 0, &mut y);
    for (name, f) in one {
        // SAFETY (all below): all vectors have `N` numbers.
        report(name, || unsafe { f(N, x.as_ptr(), z.as_mut_ptr()) });
    }
    for (name, f) in two {
        report(name, || unsafe { f(N, x.as_ptr(), y.as_ptr(), z.as_mut_ptr()) });
    }
    let ctx = Ctx {
        buffers: std::ptr::null(),
        seed: 0,
        step: 1,
        team: std::ptr::null(),
        workspace: std::ptr::null_mut(),
    };
    report("uniform", || unsafe { mlc_uniform(&ctx, 1, 2, 0, N, z.as_mut_ptr()) });
    report("sum", || {
        std::hint::black_box(unsafe { mlc_sum(N, x.as_ptr()) });
    });
    report("max", || {
        std::hint::black_box(unsafe { mlc_max(N, x.as_ptr()) });
    });
}

use rng::mlc_uniform;

fn report(name: &str, mut run: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..400 {
        let start = Instant::now();
        for _ in 0..100 {
            run();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e7);
    }
    println!("{name:8} {:.3}", best / N as f64);
}
